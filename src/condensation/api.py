"""The Python way: a condensed set in the form that each framework reads; imports only what is asked for."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from condensation.core.condensed import CondensedDataset
from condensation.core.errors import InputError


class PortableSet(CondensedDataset):
    """A condensed set that turns into tensors, a data frame or a folder of images."""

    @staticmethod
    def load(path: Path) -> "PortableSet":
        """Read a condensed set; InputError when it is anything else."""
        plain = CondensedDataset.load(path)
        return PortableSet(plain.images, plain.labels, plain.provenance, plain.soft_labels)

    def to_torch(self) -> Any:
        """A torch TensorDataset of (float32 (c, h, w), int64 label or float32 soft label (classes,))."""
        from condensation.pytorch.exchange import to_torch

        return to_torch(self)

    def to_tf(self) -> Any:
        """A tf.data.Dataset of (float32 (h, w, c), int64 label or float32 soft label (classes,))."""
        from condensation.tfkeras.exchange import to_tf

        return to_tf(self)

    def to_pandas(self) -> Any:
        """A DataFrame: label, class_name and a column for each pixel value (``p0`` .. in the order h, w, c)."""
        import pandas as pd

        frame = pd.DataFrame(self.images.reshape(len(self), -1)).add_prefix("p")
        frame.insert(0, "class_name", [self.provenance.class_names[label] for label in self.labels])
        frame.insert(0, "label", self.labels)
        return frame

    def export_npz(self, path: Path) -> Path:
        """Plain arrays ``images`` float32 (n, h, w, c), ``labels`` int64 (n,), ``class_names``: numpy reads them."""
        from condensation.core.files import write_npz

        arrays = {"images": self.images, "labels": self.labels, "class_names": np.array(self.provenance.class_names)}
        write_npz(path, arrays if self.soft_labels is None else {**arrays, "soft_labels": self.soft_labels})
        return path

    def export_folder(self, folder: Path) -> Path:
        """PNG files ``<class>/<number>.png`` as torchvision's ImageFolder and Keras read them.

        Both number classes by the sorted names of their folders; where that is not the order of the labels, the
        names get the label in front (``0-T-shirt_top``), so that the numbers stay right. Pixels are rounded to
        8 bits and clipped to [0, 1]. The folder must not exist or be empty (InputError).
        """
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"{folder} is not an empty folder; name one that does not exist")
        names = [name.replace("/", "_") for name in self.provenance.class_names]
        if names != sorted(names):
            names = [f"{label:0{len(str(len(names) - 1))}d}-{name}" for label, name in enumerate(names)]
        pixels = np.rint(np.clip(self.images, 0, 1) * 255).astype(np.uint8)
        for index, label in enumerate(self.labels):
            target = folder / names[label] / f"{index:05d}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[index][..., 0] if pixels.shape[-1] == 1 else pixels[index]).save(target)
        return folder
