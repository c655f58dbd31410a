"""Build graphs from torch modules: for each kind of block, a method of `GraphBuilder` adds its nodes and weights.

torch and ONNX order the channels of an unshuffled map differently, so the weights after such a map are reordered.
"""

from __future__ import annotations

from itertools import product
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cwic.networks.graph import Attribute, Graph, Node
from cwic.nn import (
    GDN,
    ChannelNorm,
    CrossWindowAttention,
    DenseBlock,
    FeatureEncoding,
    ResidualAttention,
    ResidualUnit,
)
from cwic.nn.gdn import effective_parameters
from cwic.nn.windows import relative_position_index

Weights = dict[str, NDArray[Any]]
"""Tensors by name."""
END = 1 << 24
"""An index beyond the end of any axis, for slices that go to the end."""


class GraphBuilder:
    """A builder of one graph. `weights` takes the tensors of several graphs, by unique names that begin with `name`."""

    def __init__(self, name: str, weights: Weights, *, half: bool) -> None:
        """Begin a graph. `half` stores weights in half precision, except those that are asked to be exact."""
        self.name, self.weights, self._half = name, weights, half
        self.inputs: dict[str, tuple[str, int]] = {}
        self._nodes: list[Node] = []
        self._counts: dict[str, int] = {}
        self.attention_inputs = "attention"
        """The beginning of the names of the inputs of the next attention (see `cwic.networks.windows`)."""

    def input(self, name: str, kind: str = "float32", rank: int = 4) -> str:
        """Declare an input and return its name."""
        self.inputs[name] = (kind, rank)
        return name

    def weight(self, name: str, tensor: Tensor, *, exact: bool = False) -> str:
        """Add a tensor and return its full name. It stays float32 if `exact`; whole numbers stay as they are.

        Raises:
            ValueError: another tensor has the name.
        """
        array = tensor.detach().cpu().numpy()
        if array.dtype.kind == "f":
            array = array.astype(np.float16 if self._half and not exact else np.float32)
        full = f"{self.name}.{name}"
        if full in self.weights and not np.array_equal(self.weights[full], array):
            raise ValueError(f"two tensors are called {full}")
        self.weights[full] = array
        return full

    def constant(self, name: str, numbers: list[int]) -> str:
        """Add a small vector of int64, such as a shape or the start of a slice."""
        return self.weight(name, torch.tensor(numbers, dtype=torch.int64))

    def add(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Attribute) -> Any:
        """Add a node and return the name of its output, or a list of `outputs` names."""
        count = self._counts[operator] = self._counts.get(operator, 0) + 1
        names = tuple(f"{operator}_{count}" + (f"_{i}" if outputs > 1 else "") for i in range(outputs))
        self._nodes.append(Node(operator, inputs, names, attributes))
        return list(names) if outputs > 1 else names[0]

    def graph(self, output: str) -> Graph:
        """Return the graph whose result is `output`."""
        return Graph(dict(self.inputs), tuple(self._nodes), (output,))

    # --- layers ----------------------------------------------------------------------------------------------

    def convolution(self, x: str, name: str, conv: nn.Conv2d, *, unshuffled: int = 1) -> str:
        """Add a convolution. `unshuffled` is the block size of a `SpaceToDepth` before it; 1 without one."""
        weight = from_space_to_depth(conv.weight, unshuffled)
        names = [self.weight(f"{name}.weight", weight)]
        if conv.bias is not None:
            names.append(self.weight(f"{name}.bias", conv.bias))
        top, left = cast(tuple[int, int], conv.padding)
        strides = list(conv.stride)
        return self.add("Conv", x, *names, group=conv.groups, pads=[top, left, top, left], strides=strides)

    def linear_map(self, x: str, name: str, weight: Tensor, bias: Tensor | None = None, *, exact: bool = True) -> str:
        """Add a 1x1 convolution with `weight` `[C_out, C_in]`; it and the `bias` stay float32 if `exact`."""
        names = [self.weight(f"{name}.weight", weight[:, :, None, None], exact=exact)]
        if bias is not None:
            names.append(self.weight(f"{name}.bias", bias, exact=exact))
        return self.add("Conv", x, *names, group=1, pads=[0, 0, 0, 0], strides=[1, 1])

    def transposed(self, x: str, name: str, conv: nn.ConvTranspose2d) -> str:
        """Add a transposed convolution."""
        names = [self.weight(f"{name}.weight", conv.weight), self.weight(f"{name}.bias", cast(Tensor, conv.bias))]
        top, left = cast(tuple[int, int], conv.padding)
        return self.add(
            "ConvTranspose",
            x,
            *names,
            pads=[top, left, top, left],
            strides=list(conv.stride),
            output_padding=list(conv.output_padding),
        )

    def activation(self, x: str, layer: nn.Module) -> str:
        """Add a ReLU, leaky ReLU or GELU."""
        if isinstance(layer, nn.LeakyReLU):
            return str(self.add("LeakyRelu", x, alpha=float(layer.negative_slope)))
        return str(self.add({nn.ReLU: "Relu", nn.GELU: "Gelu"}[type(layer)], x))

    def layers(self, x: str, name: str, sequence: nn.Module) -> str:
        """Add the modules of a sequence, one after another."""
        for child, layer in sequence.named_children():
            x = self.layer(x, f"{name}.{child}", layer)
        return x

    def layer(self, x: str, name: str, layer: nn.Module) -> str:
        """Add a module of `cwic.nn`, or one of torch's that the published network uses; TypeError for any other."""
        if isinstance(layer, nn.Identity):
            return x
        if isinstance(layer, nn.Conv2d):
            return self.convolution(x, name, layer)
        if isinstance(layer, nn.ConvTranspose2d):
            return self.transposed(x, name, layer)
        if isinstance(layer, nn.ReLU | nn.LeakyReLU | nn.GELU):
            return self.activation(x, layer)
        if isinstance(layer, nn.PixelShuffle):
            return str(self.add("DepthToSpace", x, blocksize=layer.upscale_factor, mode="CRD"))
        if isinstance(layer, GDN):
            return self.gdn(x, name, layer)
        if isinstance(layer, ChannelNorm):
            return self.channel_norm(x, name, layer)
        if isinstance(layer, FeatureEncoding):
            return self.feature_encoding(x, name, layer)
        if isinstance(layer, DenseBlock):
            return self.dense_block(x, name, layer)
        if isinstance(layer, ResidualUnit):
            inner = self.layers(x, f"{name}.conv", layer.conv)
            return self.activation(self.add("Add", x, inner), layer.activation)
        if isinstance(layer, ResidualAttention):
            return self.residual_attention(x, name, layer)
        if isinstance(layer, CrossWindowAttention):
            return _Attention(self, name, layer).add(x)
        if isinstance(layer, nn.Sequential):
            return self.layers(x, name, layer)
        raise TypeError(f"no graph for a {type(layer).__name__}")

    # --- blocks of cwic.nn -------------------------------------------------------------------------------------

    def gdn(self, x: str, name: str, layer: GDN) -> str:
        """Add a GDN: `x / sqrt(beta + gamma x^2)`, or `x` times the root for an inverse one."""
        beta, gamma = effective_parameters(layer)
        weights = [
            self.weight(f"{name}.gamma", gamma[:, :, None, None], exact=True),
            self.weight(f"{name}.beta", beta, exact=True),
        ]
        norm = self.add("Conv", self.add("Mul", x, x), *weights, group=1, pads=[0, 0, 0, 0], strides=[1, 1])
        return str(self.add("Mul" if layer.inverse else "Div", x, self.add("Sqrt", norm)))

    def channel_norm(self, x: str, name: str, layer: ChannelNorm) -> str:
        """Add `x / sqrt(mean of x^2 + epsilon)`; the mean is a convolution to one channel."""
        mean = self.weight(f"{name}.mean", torch.full((1, layer.channels, 1, 1), 1 / layer.channels), exact=True)
        epsilon = self.weight(f"{name}.epsilon", torch.tensor([layer.epsilon]), exact=True)
        square = self.add("Conv", self.add("Mul", x, x), mean, epsilon, group=1, pads=[0, 0, 0, 0], strides=[1, 1])
        return str(self.add("Div", x, self.add("Sqrt", square)))

    def dense_block(self, x: str, name: str, block: DenseBlock) -> str:
        """Add five convolutions, each fed with the input and all earlier outputs."""
        features = x
        for i in range(1, 5):
            grown = self.convolution(features, f"{name}.conv{i}", cast(nn.Conv2d, block.get_submodule(f"conv{i}")))
            features = self.add("Concat", features, self.add("LeakyRelu", grown, alpha=0.2), axis=1)
        return self.convolution(features, f"{name}.conv5", cast(nn.Conv2d, block.get_submodule("conv5")))

    def feature_encoding(self, x: str, name: str, module: FeatureEncoding) -> str:
        """Add `x + 0.2 L(x)`."""
        share = self.weight(f"{name}.share", torch.tensor(0.2), exact=True)
        branch = self.add("Mul", self.layers(x, f"{name}.layers", module.layers), share)
        return str(self.add("Add", x, branch))

    def residual_attention(self, x: str, name: str, module: ResidualAttention) -> str:
        """Add `x + a(x) * sigmoid(b(x))`; in a CWAM, b begins with an attention."""
        a = self.layers(x, f"{name}.conv_a", module.conv_a)
        b = self.layers(x, f"{name}.conv_b", module.conv_b)
        return str(self.add("Add", x, self.add("Mul", a, self.add("Sigmoid", b))))


def from_space_to_depth(weight: Tensor, block: int) -> Tensor:
    """Reorder `weight` `[O, C block^2, ...]` for the channel order of `SpaceToDepth`: (row, column, channel).

    Weights are trained for the order of torch's unshuffling: (channel, row, column).
    """
    if block == 1:
        return weight
    channels = weight.shape[1] // block**2
    split = weight.unflatten(1, (channels, block * block))
    return split.transpose(1, 2).flatten(1, 2)


class _Attention:
    """The builder of the nodes of one `CrossWindowAttention`, on maps `[1, C, H, W]`.

    Masks and borders are inputs of the graph; `cwic.networks.windows` computes them.
    """

    def __init__(self, graph: GraphBuilder, name: str, module: CrossWindowAttention) -> None:
        self._graph, self._name, self._module = graph, name, module
        self._window, self._tokens = module.window, module.window**2
        self._dim = module.qkv.in_features
        self._inputs = graph.attention_inputs

    def add(self, x: str) -> str:
        """Add `x + proj(S + merge2(leaky_relu(merge1([S, T]))))`, or only the argument of `proj` for a bare one."""
        graph, module = self._graph, self._module
        borders = graph.input(f"{self._inputs}.borders", "int64", 1)
        ends = graph.input(f"{self._inputs}.ends", "int64", 1)
        rolled = self._roll(graph.add("Pad", x, borders, mode="constant"), module.shift)
        windows = self._tokens_of(rolled, self._window, "cut")
        q, k, v = (
            self._heads(part, "heads", self._tokens)
            for part in graph.add("Split", self._linear(windows, "qkv", module.qkv), outputs=3, axis=4, num_outputs=3)
        )
        scale = torch.tensor((self._dim // module.heads) ** -0.5)
        q = graph.add("Mul", q, graph.weight(f"{self._name}.scale", scale, exact=True))
        tokens = self._attend(q, k, v, "own", module.relative_position_bias_table_x, None)
        if module.cross:
            around = self._around(q, rolled)
            both = self._linear(graph.add("Concat", tokens, around, axis=4), "merge1", module.merge1)
            merged = self._linear(graph.add("LeakyRelu", both, alpha=0.2), "merge2", module.merge2)
            tokens = graph.add("Add", tokens, merged)
        out = tokens if module.bare else self._linear(tokens, "proj", module.proj)
        out = graph.add("Reshape", out, self._shape("merge", [1, 0, 0, self._tokens * self._dim]))
        out = graph.add("Transpose", out, perm=[0, 3, 1, 2])
        out = graph.add("DepthToSpace", out, blocksize=self._window, mode="DCR")
        out = self._roll(out, -module.shift)
        starts, axes = self._shape("origin", [0, 0]), self._shape("sides", [2, 3])
        out = graph.add("Slice", out, starts, ends, axes)
        return str(out if module.bare else graph.add("Add", x, out))

    def _around(self, q: str, rolled: str) -> str:
        """Add the attention of the windows to the half-resolution regions around them."""
        graph, module, block = self._graph, self._module, self._window // 2
        half = graph.add("AveragePool", rolled, kernel_shape=[2, 2], strides=[2, 2])
        weight, bias = module.kv.weight[:, :, None, None], module.kv.bias
        names = [graph.weight(f"{self._name}.kv.weight", weight), graph.weight(f"{self._name}.kv.bias", bias)]
        half = graph.add("Conv", half, *names, group=1, pads=[0, 0, 0, 0], strides=[1, 1])
        margin = self._window // 4
        pads = self._shape("around", [0, 0, margin, margin, 0, 0, margin, margin])
        squares = self._tokens_of(graph.add("Pad", half, pads, mode="reflect"), block, "around_cut", 2 * self._dim)
        # A region is four neighbouring squares. On each axis, it takes all squares but the last, and all but the first.
        axes, spans = self._shape("grid", [1, 2]), ((0, -1), (1, END))
        quarters = []
        for i, (rows, columns) in enumerate(product(spans, spans)):
            start, stop = zip(rows, columns, strict=True)
            begin, end = self._shape(f"from{i}", list(start)), self._shape(f"to{i}", list(stop))
            quarters.append(graph.add("Slice", squares, begin, end, axes))
        region = graph.add("Concat", *quarters, axis=3)
        k, v = (
            self._heads(part, "heads", self._tokens)
            for part in graph.add("Split", region, outputs=2, axis=4, num_outputs=2)
        )
        return self._attend(q, k, v, "around", module.relative_position_bias_table_y, _quarters(self._window))

    def _attend(self, q: str, k: str, v: str, kind: str, table: Tensor, order: Tensor | None) -> str:
        """Add `softmax(q k' + bias + mask) v`: `[1, nH, nW, n, C]`; `order` is the order of the keys."""
        graph, n, heads = self._graph, self._tokens, self._module.heads
        index = relative_position_index(self._window, table.device)
        bias = table[index.flatten()].view(n, n, heads).permute(2, 0, 1)
        bias = bias if order is None else bias[:, :, order]
        mask = graph.input(f"{self._inputs}.{kind}", "float32", 5)
        logits = graph.add("MatMul", q, graph.add("Transpose", k, perm=[0, 1, 2, 3, 5, 4]))
        logits = graph.add("Add", logits, graph.weight(f"{self._name}.{kind}_bias", bias, exact=True))
        logits = graph.add("Add", logits, mask)
        out = graph.add("MatMul", graph.add("Softmax", logits, axis=-1), v)
        out = graph.add("Transpose", out, perm=[0, 1, 2, 4, 3, 5])
        return str(graph.add("Reshape", out, self._shape("join", [1, 0, 0, n, self._dim])))

    def _tokens_of(self, x: str, side: int, name: str, channels: int = 0) -> str:
        """Cut a map into its squares: `[1, nH, nW, side^2, C]`."""
        graph = self._graph
        squares = graph.add("Transpose", graph.add("SpaceToDepth", x, blocksize=side), perm=[0, 2, 3, 1])
        return str(graph.add("Reshape", squares, self._shape(name, [1, 0, 0, side * side, channels or self._dim])))

    def _heads(self, tokens: str, name: str, count: int) -> str:
        """Split `[1, nH, nW, n, C]` into heads: `[1, nH, nW, heads, n, C / heads]`."""
        heads = self._module.heads
        split = self._graph.add("Reshape", tokens, self._shape(name, [1, 0, 0, count, heads, self._dim // heads]))
        return str(self._graph.add("Transpose", split, perm=[0, 1, 2, 4, 3, 5]))

    def _linear(self, x: str, name: str, layer: nn.Linear) -> str:
        graph = self._graph
        product = graph.add("MatMul", x, graph.weight(f"{self._name}.{name}.weight", layer.weight.t()))
        return str(graph.add("Add", product, graph.weight(f"{self._name}.{name}.bias", layer.bias)))

    def _roll(self, x: str, shift: int) -> str:
        """Move the first `shift` rows and columns of a map to its end; a negative shift moves them back."""
        if shift == 0:
            return x
        graph = self._graph
        for axis in (2, 3):
            at, over = self._shape(f"axis{axis}", [axis]), self._shape("end", [END])
            start, split = self._shape("start", [0]), self._shape(f"roll{shift}", [shift])
            parts = (graph.add("Slice", x, split, over, at), graph.add("Slice", x, start, split, at))
            x = graph.add("Concat", *parts, axis=axis)
        return x

    def _shape(self, name: str, numbers: list[int]) -> str:
        return self._graph.constant(f"{self._name}.{name}", numbers)


def _quarters(window: int) -> Tensor:
    """Return the raster indices of the positions of a `window x window` square, quarter by quarter."""
    half = window // 2
    index = torch.arange(window * window).view(2, half, 2, half)
    return index.transpose(1, 2).flatten()
