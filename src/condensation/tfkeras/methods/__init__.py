"""One file for each method in TensorFlow."""
