"""Everything that needs TensorFlow and Keras."""
