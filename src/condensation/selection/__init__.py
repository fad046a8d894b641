"""Methods that choose real images with numpy and scikit-learn alone: the floor of every table."""
