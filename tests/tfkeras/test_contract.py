"""The contract of every method in TensorFlow."""

import contract

TestContract = contract.suite("tfkeras")
