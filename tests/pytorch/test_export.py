"""An exported folder is read by torchvision without a line of our code, and loading imports nothing unasked."""

import subprocess
import sys
from pathlib import Path

import contract
import numpy as np
from torchvision.datasets import ImageFolder

from condensation import load


def test_image_folder_reads_the_export(tmp_path: Path) -> None:
    train = contract.toy((12, 9, 3))
    contract.make("random", train, 0, tmp_path).save(tmp_path / "set.npz")
    condensed = load(tmp_path / "set.npz")
    condensed.export_folder(tmp_path / "images")
    folder = ImageFolder(str(tmp_path / "images"))
    assert folder.classes == list(train.class_names)
    assert folder.targets == condensed.labels.tolist()
    for (image, _), pixels in zip(folder, condensed.images, strict=True):
        np.testing.assert_allclose(np.asarray(image) / 255, pixels, atol=1e-6)


def test_load_imports_no_framework(tmp_path: Path) -> None:
    contract.make("random", contract.toy(), 0, tmp_path).save(tmp_path / "set.npz")
    code = (
        f"import sys, condensation; condensation.load({str(tmp_path / 'set.npz')!r}); "
        "print([name for name in ('torch', 'tensorflow', 'pandas', 'mlflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
