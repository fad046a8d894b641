"""TensorFlow and Keras: the only room that imports them. Never in one process with PyTorch."""

import logging
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read by tensorflow when it is first imported
logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of one trace for each network, which is meant
