"""The weights that ship with faceswap: `catalogue.toml`, ONNX files and a card for each.

`faces/` holds detector and encoder alone, because insightface opens every ONNX file of the folder it is given.
"""
