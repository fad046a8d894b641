"""Products in bfloat16: near those in float32, by the same weights; and float32 itself where there are none."""

import pytest
import torch
from torch.nn.functional import cosine_similarity

import condensation.pytorch.precision as precision_module
from condensation.pytorch.loss import backward
from condensation.pytorch.networks import NetworkSpec, build
from condensation.pytorch.training import predict

IMAGES = torch.rand((40, 3, 16, 16), generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(40) % 10


def gradient(precision):
    network = build(NetworkSpec(width=32), image_shape=(16, 16, 3), classes=10, seed=0)
    loss = backward(network, IMAGES, LABELS, precision=precision)
    return loss, torch.cat([p.grad.flatten() for p in network.parameters()])


def logits(precision):
    network = build(NetworkSpec(width=32), image_shape=(16, 16, 3), classes=10, seed=0)
    return torch.from_numpy(predict(network, IMAGES, precision=precision))


def test_bfloat16_rounds_and_leaves_float32_behind(monkeypatch):
    monkeypatch.setattr(precision_module, "available", lambda precision, device: precision)  # here, too, if slowly
    (loss, plain), (rounded_loss, rounded) = gradient("float32"), gradient("bfloat16")
    assert rounded.dtype == torch.float32
    assert rounded_loss == pytest.approx(loss, rel=0.01)
    assert cosine_similarity(rounded, plain, 0) > 0.99
    assert not torch.equal(rounded, plain)
    assert logits("bfloat16").dtype == torch.float32
    assert 0 < (logits("bfloat16") - logits("float32")).abs().max() < 0.05 * logits("float32").abs().max()


def test_a_processor_without_it_computes_in_float32(monkeypatch):
    monkeypatch.setattr(precision_module, "available", lambda precision, device: "float32")
    assert torch.equal(gradient("bfloat16")[1], gradient("float32")[1])
    assert torch.equal(logits("bfloat16"), logits("float32"))
