"""The Python way: a condensed set in the form that each framework reads; imports only what is asked for."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from condensation.core.condensed import CondensedDataset
from condensation.core.errors import InputError
from condensation.core.pictures import pictures


class PortableSet(CondensedDataset):
    """A condensed set that turns into tensors, a data frame or a folder of images.

    A stored image that holds several pictures comes out as those, each as large as the image.
    """

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

        images, labels = self._read()
        frame = pd.DataFrame(images.reshape(len(images), -1)).add_prefix("p")
        frame.insert(0, "class_name", [self.provenance.class_names[label] for label in labels])
        frame.insert(0, "label", labels)
        return frame

    def export_npz(self, path: Path) -> Path:
        """Plain arrays ``images`` float32 (n, h, w, c), ``labels`` int64 (n,), ``class_names``: numpy reads them.

        And ``soft_labels`` float16 (n, classes) where there are any.
        """
        from condensation.core.files import write_npz

        images, labels = self._read()
        arrays = {"images": images, "labels": labels, "class_names": np.array(self.provenance.class_names)}
        if self.soft_labels is not None:
            arrays["soft_labels"] = self.soft_labels.reshape(len(images), -1)
        write_npz(path, arrays)
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
        images, labels = self._read()
        pixels = np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)
        for index, label in enumerate(labels):
            target = folder / names[label] / f"{index:05d}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[index][..., 0] if pixels.shape[-1] == 1 else pixels[index]).save(target)
        return folder

    def _read(self) -> tuple[np.ndarray, np.ndarray]:
        """(pictures float32 (n, h, w, c), their labels int64 (n,))."""
        count = self.provenance.pictures_per_image
        return pictures(self.images, count), np.repeat(self.labels, count)
