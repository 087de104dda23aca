"""What a user would pick instead, trained and scored on the same folds as the model that ships."""
