"""Lets torchvision be imported beside a CPU build of torch, for which it has no compiled operators.

Its import registers shapes for operators that its extension would have defined; that fails where the extension cannot
be loaded. `.ci/vllm` puts this module into vLLM's environment, where a `.pth` file runs it at start: the operators are
declared, never computed, just before torchvision is imported. vLLM's LLaVA imports torchvision and calls none of them.
"""

import sys

OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


class _BeforeTorchvision:
    """A finder that finds nothing: it only sees torchvision come."""

    def find_spec(self, name, path=None, target=None):
        if name == "torchvision":
            sys.meta_path.remove(self)
            import torch

            self.library = torch.library.Library("torchvision", "FRAGMENT")
            for operator in OPERATORS:
                self.library.define(operator)
            _kept.append(self.library)  # torch forgets the operators with the library
        return


_kept = []
sys.meta_path.insert(0, _BeforeTorchvision())
