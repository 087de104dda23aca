"""The training job: a catalogue and what people said of it in, a model behind the gate out.

`pipeline` has the stages in their order; `data`, `fit` and `release` do their work. Here belongs
what only training needs (scikit-learn, LightGBM); what serving needs too is in `aisle`, and what
compares Aisle with other models in `aisle_benchmark`.
"""
