"""Run a network: ONNX Runtime, OpenVINO or PyTorch, each with its device and precision told truthfully."""
