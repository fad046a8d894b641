"""The contract of every method in PyTorch."""

import contract

TestContract = contract.suite("pytorch")
