"""How the files of published networks are loaded. No pickle is run: TorchScript files bring code that knows tensors,
ONNX files a graph, and of the one file that is a pickle torch's restricted reader takes the tensors."""

from __future__ import annotations

import io
from typing import Any

from followyouremoji.benchmark.metrics.published import PublishedNetwork


def load_network(network: PublishedNetwork, content: bytes, device: str) -> Any:
    """A network of the content of its file: of torch, or a session of onnxruntime.

    Raises ImportError where its library cannot be used, and what that library raises where the file cannot.
    """
    loaders = {"torch": _torchscript, "onnxruntime": _onnx, "pyiqa": _hyperiqa}
    return loaders[network.package](content, device)


def _torchscript(content: bytes, device: str) -> Any:
    import torch

    return torch.jit.load(io.BytesIO(content), map_location=device).eval()


def _onnx(content: bytes, device: str) -> Any:
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors alone
    wanted = ["CUDAExecutionProvider"] if device.startswith("cuda") else []
    there = onnxruntime.get_available_providers()
    providers = [*(one for one in wanted if one in there), "CPUExecutionProvider"]
    return onnxruntime.InferenceSession(content, options, providers=providers)


def _hyperiqa(content: bytes, device: str) -> Any:
    """pyiqa's network with the tensors of a file, which torch's restricted reader reads: pyiqa itself would run
    whatever code is pickled in it, and would have timm fetch the backbone, whose tensors the file holds too."""
    import torch
    from pyiqa.archs import hypernet_arch

    tensors = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    if not isinstance(tensors, dict) or "params" not in tensors:
        raise ValueError("it holds no tensors called params")
    timm = hypernet_arch.timm

    class WithoutDownload:
        @staticmethod
        def create_model(name: str, pretrained: bool = False, **options: Any) -> Any:
            return timm.create_model(name, pretrained=False, **options)

    hypernet_arch.timm = WithoutDownload
    try:
        network = hypernet_arch.HyperNet(pretrained=False)
    finally:
        hypernet_arch.timm = timm
    network.load_state_dict(tensors["params"])
    return network.to(device).eval()
