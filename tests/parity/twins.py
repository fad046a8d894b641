"""The evaluation network in each framework, run in a process of its own: ``twins.py FRAMEWORK IN.npz OUT.npz``.

The arrays of several cases lie side by side, as ``<case>/<name>``.

PyTorch's twin draws weights and writes them with its answers; Keras takes these weights and writes its own answers.
Convolutions are (out, in, high, wide) in PyTorch and (high, wide, in, out) in Keras; the first hidden layer reads the
maps channel by channel in PyTorch and place by place in Keras.
"""

import sys
from pathlib import Path

import numpy as np

from condensation.core.files import read_npz, write_npz

CLASSES = 10


def by_pytorch(given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights drawn by PyTorch, logits (n, classes) and the loss' gradient for each weight."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    images = torch.from_numpy(given["images"].transpose(0, 3, 1, 2).copy())
    layers: list[nn.Module] = []
    for channels_in, channels in ((images.shape[1], 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(channels_in, channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    flat = 128 * (images.shape[2] // 8) * (images.shape[3] // 8)
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(flat, 128), nn.ReLU(), nn.Linear(128, CLASSES))
    logits = network(images)
    nn.functional.cross_entropy(logits, torch.from_numpy(given["labels"])).backward()
    found = {"logits": logits.detach().numpy()}
    for name, parameter in network.named_parameters():
        found[f"weight/{name}"] = parameter.detach().numpy()
        found[f"gradient/{name}"] = parameter.grad.numpy()
    return found


def by_keras(given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same from the weights of the other, with the gradients laid out as PyTorch has them."""
    import tensorflow as tf

    from condensation.tfkeras.networks import evaluation_convnet

    images = given["images"]
    model = evaluation_convnet(images.shape[1:], CLASSES, 0)
    names = sorted((name for name in given if name.startswith("weight/")), key=_place)
    maps = (128, images.shape[1] // 8, images.shape[2] // 8)
    for variable, name in zip(model.variables, names, strict=True):
        variable.assign(to_keras(given[name], maps))
    with tf.GradientTape() as tape:
        logits = model(images, training=True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(given["labels"], logits))
    gradients = tape.gradient(loss, model.trainable_variables)
    found = {"logits": logits.numpy()}
    for gradient, name in zip(gradients, names, strict=True):
        parameter = name.removeprefix("weight/")
        found[f"gradient difference/{parameter}"] = gradient.numpy() - to_keras(given[f"gradient/{parameter}"], maps)
    return found


def _place(name: str) -> tuple[int, bool]:
    """The order of Keras: layer after layer, each layer's bias last."""
    layer, kind = name.removeprefix("weight/").split(".")
    return int(layer), kind == "bias"


def to_keras(array: np.ndarray, maps: tuple[int, int, int]) -> np.ndarray:
    """A weight of PyTorch as Keras lays it out; maps: (channels, high, wide) before the first hidden layer."""
    if array.ndim == 4:
        return array.transpose(2, 3, 1, 0)
    if array.ndim == 2 and array.shape[1] == np.prod(maps):
        return array.reshape(-1, *maps).transpose(2, 3, 1, 0).reshape(-1, len(array))
    return array.T


if __name__ == "__main__":
    framework, source, target = sys.argv[1:]
    work = {"pytorch": by_pytorch, "keras": by_keras}[framework]
    arrays, found = read_npz(Path(source)), dict[str, np.ndarray]()
    for case in sorted({name.split("/")[0] for name in arrays}):
        given = {name.removeprefix(f"{case}/"): a for name, a in arrays.items() if name.startswith(f"{case}/")}
        found |= {f"{case}/{name}": array for name, array in work(given).items()}
    write_npz(Path(target), found)
