"""Training and test data: data sets, cache, augmentation, file readers."""
