"""The retrain function: new feedback in, perhaps a training job out."""
