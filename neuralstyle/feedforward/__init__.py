"""Feed-forward networks: a picture in, a stylised picture out, in one pass.

`transform` is a network trained for one style (Johnson et al. 2016), `checkpoints` reads its weights;
`any_style` takes its style from any picture (Ghiasi et al. 2017), `multi_style` has 26 styles to blend
(Dumoulin et al. 2017), `saved_model` runs a folder from TensorFlow Hub. Each of the four gives a *renderer*:
a function from a picture to a picture, float32 H×W×3, 0..255, which `pictures` runs over files.
"""
