"""An exported folder is read by Keras without a line of our code; a set becomes a tf.data.Dataset."""

from pathlib import Path

import contract
import keras
import numpy as np

from condensation import load


def test_keras_reads_the_export(tmp_path: Path) -> None:
    train = contract.toy((12, 9, 3))
    contract.make("random", train, 0, tmp_path).save(tmp_path / "set.npz")
    condensed = load(tmp_path / "set.npz")
    condensed.export_folder(tmp_path / "images")
    data = keras.utils.image_dataset_from_directory(
        str(tmp_path / "images"), image_size=(12, 9), shuffle=False, verbose=False
    )
    assert data.class_names == list(train.class_names)
    images, labels = (np.concatenate(part) for part in zip(*data.as_numpy_iterator(), strict=True))
    assert labels.tolist() == condensed.labels.tolist()
    np.testing.assert_allclose(images / 255, condensed.images, atol=1e-6)


def test_to_tf(tmp_path: Path) -> None:
    contract.make("random", contract.toy(), 0, tmp_path).save(tmp_path / "set.npz")
    condensed = load(tmp_path / "set.npz")
    images, labels = zip(*condensed.to_tf().as_numpy_iterator(), strict=True)
    np.testing.assert_array_equal(np.stack(images), condensed.images)
    assert [int(label) for label in labels] == condensed.labels.tolist()
