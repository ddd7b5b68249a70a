"""Feed-forward networks: a picture in, a stylised picture out, in one pass.

`transform` is a network trained for one style (Johnson et al. 2016), `checkpoints` reads its weights;
`any_style` takes its style from any picture (Ghiasi et al. 2017), `multi_style` has 26 styles to blend
(Dumoulin et al. 2017), `saved_model` runs a folder from TensorFlow Hub. Each of the four has a ``renderer``:
a context manager that gives a function from a picture to a picture, float32 H×W×3, 0..255, of any size.
`pictures` runs it over files.

A picture is rendered whole, for its normalisation needs sums over all of it. Beside the 0.9 GB that
TensorFlow and the program take, any style needs about 110 bytes a pixel, the 26 styles 360 and a transform
network 330 (1.4, 4.5 and 4.1 GB for 4096×3072).
"""
