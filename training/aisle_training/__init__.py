"""The training job: turns a catalogue and its feedback into a model that has passed the gate.

`pipeline` runs the stages in order; `data`, `fit` and `release` implement them. Here belongs what
only training needs (scikit-learn, LightGBM). What serving needs too is in `aisle`, and the
comparison with other models in `aisle_benchmark`.
"""
