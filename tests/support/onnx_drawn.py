"""Nodes drawn at random, of every opset from 7 on: what the differential test compares.

Left out is where onnxruntime and ONNX's reference differ (docs/onnx.md): SAME padding of pools and
transposed convolutions whose kernel is smaller than the stride, VALID with ceil_mode, align_corners with
scales that give no whole size, and ties of the nearest pixel, which float32 scales move.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from onnx import TensorProto, helper, numpy_helper

TYPES = {"float32": 1, "int64": 7, "int32": 6, "bool": 9}


@dataclass
class Case:
    op: str
    inputs: dict
    attributes: dict = field(default_factory=dict)
    constants: str = ""
    outputs: int = 1

    def model(self, opset):
        outputs = [f"y{i}" for i in range(self.outputs)]
        node = helper.make_node(self.op, list(self.inputs), outputs, self.op.lower(), **self.attributes)
        infos, known = [], []
        for name, array in self.inputs.items():
            if name in self.constants:
                known.append(numpy_helper.from_array(array, name))
            else:
                infos.append(helper.make_tensor_value_info(name, TYPES[str(array.dtype)], array.shape))
        results = [helper.make_empty_tensor_value_info(name) for name in outputs]
        graph = helper.make_graph([node], "drawn", infos, results, known)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)

    def feed(self):
        return {name: array for name, array in self.inputs.items() if name not in self.constants}


class Draw:
    """Draws of one seed, for one opset."""

    def __init__(self, seed, opset):
        self.rng = np.random.default_rng(seed)
        self.opset = opset

    def pick(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def chance(self, share):
        return self.rng.random() < share

    def ints(self, low, high, count):
        return [int(v) for v in self.rng.integers(low, high + 1, count)]

    def shape(self, rank, low=1, high=6):
        return tuple(self.ints(low, high, rank))

    def reals(self, *shape):
        return self.rng.standard_normal(shape).astype(np.float32)

    def axis(self, rank):
        return int(self.rng.integers(-rank if self.opset >= 11 else 0, rank))

    def pair(self):
        """Two shapes that broadcast together."""
        full = self.shape(self.pick(1, 2, 3, 4), 1, 5)
        own = [tuple(s if self.chance(0.7) else 1 for s in full) for _ in range(2)]
        return [shape[int(self.rng.integers(0, len(full))) :] for shape in own]

    def window(self, rank, same_needs_stride=True):
        kernel, stride = self.ints(1, 4, rank), self.ints(1, 3, rank)
        mode = self.pick("NOTSET", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")
        if mode.startswith("SAME") and same_needs_stride:
            kernel = [max(k, s) for k, s in zip(kernel, stride)]
        return kernel, stride, mode

    def conv(self):
        rank, groups = self.pick(1, 2, 2, 3), self.pick(1, 1, 2, 4)
        kernel, stride, mode = self.window(rank, False)
        dilation = [1] * rank if mode.startswith("SAME") else self.ints(1, 2, rank)
        size = [(k - 1) * d + int(self.rng.integers(1, 9)) for k, d in zip(kernel, dilation)]
        attributes = {"strides": stride, "dilations": dilation, "group": groups, "auto_pad": mode}
        if mode == "NOTSET":
            attributes["pads"] = self.ints(0, 3, 2 * rank)
        ic, oc = groups * self.pick(1, 2, 3), groups * self.pick(1, 2, 5)
        inputs = {"x": self.reals(self.pick(1, 2), ic, *size), "w": self.reals(oc, ic // groups, *kernel)}
        if self.chance(0.6):
            inputs["b"] = self.reals(oc)
        return Case("Conv", inputs, attributes, "wb")

    def conv_transpose(self):
        rank, groups = self.pick(1, 2, 2, 3), self.pick(1, 1, 2)
        kernel, stride, _ = self.window(rank)
        dilation = self.ints(1, 2, rank)
        attributes = {"strides": stride, "dilations": dilation, "group": groups}
        kind = self.pick("pads", "output_padding", "auto_pad")
        if kind == "pads":
            most = [(k - 1) * d // 2 for k, d in zip(kernel, dilation)]
            attributes["pads"] = [int(self.rng.integers(0, m + 1)) for m in most * 2]
        elif kind == "output_padding":
            attributes[kind] = [int(self.rng.integers(0, s)) for s in stride]
        else:
            kernel = [max(k, s) for k, s in zip(kernel, stride)]
            attributes[kind] = self.pick("SAME_UPPER", "SAME_LOWER")
        ic, oc = groups * self.pick(1, 2), self.pick(1, 2, 3)
        inputs = {"x": self.reals(self.pick(1, 2), ic, *self.shape(rank)), "w": self.reals(ic, oc, *kernel)}
        if self.chance(0.6):
            inputs["b"] = self.reals(oc * groups)
        return Case("ConvTranspose", inputs, attributes, "wb")

    def pool(self):
        op, rank = self.pick("MaxPool", "AveragePool", "LpPool"), self.pick(1, 2, 2, 3)
        kernel, stride, mode = self.window(rank)
        dilation = [1] * rank
        if mode == "NOTSET" and self.opset >= {"MaxPool": 10, "AveragePool": 19}.get(op, 99):
            dilation = self.ints(1, 2, rank)
        size = [(k - 1) * d + int(self.rng.integers(1, 9)) for k, d in zip(kernel, dilation)]
        attributes = {"kernel_shape": kernel, "strides": stride, "auto_pad": mode}
        if max(dilation) > 1:
            attributes["dilations"] = dilation
        if mode == "NOTSET":
            attributes["pads"] = [int(self.rng.integers(0, k)) for k in kernel * 2]
        if self.opset >= 10 and op != "LpPool" and mode != "VALID" and self.chance(0.4):
            attributes["ceil_mode"] = 1
        if op == "AveragePool" and self.chance(0.5):
            attributes["count_include_pad"] = 1
        if op == "LpPool":
            attributes["p"] = self.pick(1, 2, 3)
        outputs = 2 if op == "MaxPool" and self.opset >= 8 and self.chance(0.3) else 1
        return Case(op, {"x": self.reals(self.pick(1, 2), self.pick(1, 3), *size)}, attributes, "", outputs)

    def resize(self):
        x = self.reals(self.pick(1, 2), self.pick(1, 2), *self.shape(2))
        if self.opset < 11:
            op, mode = "Resize" if self.opset == 10 else "Upsample", self.pick("nearest", "linear")
            scales = np.float32([1, 1, self.pick(1, 2, 3), self.pick(1, 2)])
            if self.opset < 9:
                return Case(op, {"x": x}, {"scales": [float(s) for s in scales], "mode": mode})
            return Case(op, {"x": x, "s": scales}, {"mode": mode}, "s")
        attributes = {
            "mode": self.pick("linear", "cubic"),
            "coordinate_transformation_mode": self.pick(
                "half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"
            ),
        }
        if self.chance(0.3):
            attributes = {
                "mode": "nearest",
                "nearest_mode": "floor",
                "coordinate_transformation_mode": "asymmetric",
            }
        if attributes["mode"] == "cubic":
            attributes |= {"cubic_coeff_a": self.pick(-0.5, -0.75), "exclude_outside": self.pick(0, 1)}
        sizes = np.array([*x.shape[:2], *self.ints(1, 12, 2)])
        if attributes["mode"] == "nearest":
            sizes[2:] = [self.pick(1, 2, 3) * s for s in x.shape[2:]]
        nothing = np.zeros(0, np.float32)
        return Case("Resize", {"x": x, "r": nothing, "s": nothing, "z": sizes}, attributes, "rsz")

    def pad(self):
        rank, mode = self.pick(1, 2, 3, 4), self.pick("constant", "reflect", "edge")
        x = self.reals(*self.shape(rank, 3))
        pads = self.ints(-1 if mode == "constant" and self.chance(0.4) else 0, 2, 2 * rank)
        if self.opset < 11:
            return Case("Pad", {"x": x}, {"mode": mode, "pads": pads, "value": 1.5})
        inputs = {"x": x, "p": np.array(pads)}
        if mode == "constant" and self.chance(0.5):
            inputs["v"] = np.array(2.5, np.float32)
        return Case("Pad", inputs, {"mode": mode}, "pv")

    def slice(self):
        rank = self.pick(1, 2, 3)
        count = int(self.rng.integers(1, rank + 1))
        axes = [int(a) for a in self.rng.choice(rank, count, False)]
        x, starts, ends = self.reals(*self.shape(rank)), self.ints(-9, 9, count), self.ints(-9, 9, count)
        if self.opset < 10:
            return Case("Slice", {"x": x}, {"starts": starts, "ends": ends, "axes": axes})
        steps = [self.pick(1, 2, 3, -1, -2) for _ in axes]
        lists = {"s": starts, "e": ends, "a": axes, "t": steps}
        return Case("Slice", {"x": x, **{k: np.array(v) for k, v in lists.items()}}, {}, "seat")

    def reduction(self):
        op = self.pick(
            "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceL1", "ReduceProd"
        )
        rank = self.pick(1, 2, 3, 4)
        axes = [int(a) for a in self.rng.choice(rank, int(self.rng.integers(1, rank + 1)), False)]
        if self.opset >= 11 and self.chance(0.5):
            axes = [a - rank for a in axes]
        x, attributes = self.reals(*self.shape(rank)), {"keepdims": self.pick(0, 1)}
        if self.opset < (13 if op == "ReduceSum" else 18):
            return Case(op, {"x": x}, attributes | ({"axes": axes} if self.chance(0.8) else {}))
        if self.chance(0.2):
            return Case(op, {"x": x}, attributes)
        return Case(op, {"x": x, "a": np.array(axes)}, attributes, "a")

    def extreme(self):
        rank = self.pick(1, 2, 3)
        x = self.rng.integers(-3, 4, self.shape(rank, 2)).astype(self.pick(np.float32, np.int32))
        axis = self.axis(rank)
        if self.chance(0.5):
            attributes = {"axis": axis, "keepdims": self.pick(0, 1)}
            if self.opset >= 12:
                attributes["select_last_index"] = self.pick(0, 1)
            return Case(self.pick("ArgMax", "ArgMin"), {"x": x}, attributes)
        x, k = self.reals(*x.shape), int(self.rng.integers(1, x.shape[axis] + 1))
        if self.opset < 10:
            return Case("TopK", {"x": x}, {"axis": axis, "k": k}, "", 2)
        largest = {"largest": self.pick(0, 1)} if self.opset >= 11 else {}
        return Case("TopK", {"x": x, "k": np.array([k])}, {"axis": axis, **largest}, "k", 2)

    def softmax(self):
        rank = self.pick(1, 2, 3, 4)
        return Case(
            self.pick("Softmax", "LogSoftmax"),
            {"x": self.reals(*self.shape(rank))},
            {"axis": self.axis(rank)},
        )

    def binary(self):
        op = self.pick("Add", "Sub", "Mul", "Div", "Pow", "Less", "Greater", "Min", "Max")
        shapes, dtype = self.pair(), self.pick(np.float32, np.float32, np.int64, np.int32)
        if op == "Pow" or (self.opset < 12 and op in ("Less", "Greater", "Min", "Max")):
            dtype = np.float32
        x, y = (np.asarray(self.rng.integers(-9, 10, s), dtype) for s in shapes)
        if op == "Div":
            y = np.where(y == 0, np.asarray(1, dtype), y)
        if op == "Pow":
            x, y = np.abs(x) + np.float32(0.5), y / np.float32(3)
        return Case(op, {"x": np.asarray(x, dtype), "y": np.asarray(y, dtype)}, {}, self.pick("", "x", "y"))

    def parts(self):
        x = self.reals(1, self.pick(2, 3), 1, self.pick(2, 4))
        op = self.pick("Squeeze", "Unsqueeze", "Split")
        axes = {"Squeeze": self.pick([0], [2, 0]), "Unsqueeze": [1, 3], "Split": self.pick([1], [3])}[op]
        if op == "Split":
            size = x.shape[axes[0]]
            sizes, attributes = [1, size - 1], {"axis": axes[0]}
            if self.opset < 13:
                return Case(op, {"x": x}, attributes | {"split": sizes}, "", 2)
            return Case(op, {"x": x, "s": np.array(sizes)}, attributes, "s", 2)
        if self.opset < 13:
            return Case(op, {"x": x}, {"axes": axes})
        return Case(op, {"x": x, "a": np.array(axes)}, {}, "a")

    def dense(self):
        if self.chance(0.4):
            a, b = self.pick(((3, 4), (4, 5)), ((2, 3, 4), (4, 5)), ((2, 3, 4), (2, 4, 5)), ((4,), (4, 5)),
                             ((3, 4), (4,)), ((2, 1, 3, 4), (3, 4, 2)))  # fmt: skip
            return Case("MatMul", {"x": self.reals(*a), "w": self.reals(*b)}, {}, self.pick("", "w"))
        m, n, k = self.ints(1, 5, 3)
        turned_a, turned_b = self.pick(0, 1), self.pick(0, 1)
        bias = self.pick((n,), (m, n), (1, n), (m, 1), (1,), ())
        inputs = {
            "x": self.reals(*((k, m) if turned_a else (m, k))),
            "w": self.reals(*((n, k) if turned_b else (k, n))),
            "c": self.reals(*bias),
        }
        attributes = {
            "transA": turned_a,
            "transB": turned_b,
            "alpha": self.pick(1.0, 0.5),
            "beta": self.pick(1.0, 2.0),
        }
        inputs["c"] = np.asarray(inputs["c"], np.float32)
        return Case("Gemm", inputs, attributes, self.pick("", "w", "wc"))

    def moves(self):
        op = self.pick(
            "Transpose", "Flatten", "Gather", "Concat", "Tile", "DepthToSpace", "SpaceToDepth", "Reshape"
        )
        if op == "Transpose":
            rank = self.pick(1, 2, 3, 4, 5, 6)
            perm = [int(a) for a in self.rng.permutation(rank)]
            return Case(op, {"x": self.reals(*self.shape(rank, 1, 4))}, {"perm": perm})
        if op == "Flatten":
            rank = self.pick(1, 2, 3, 4)
            return Case(
                op, {"x": self.reals(*self.shape(rank))}, {"axis": int(self.rng.integers(0, rank + 1))}
            )
        if op == "Gather":
            x, axis = self.reals(*self.shape(3, 2)), self.axis(3)
            indices = self.rng.integers(
                -x.shape[axis] if self.opset >= 11 else 0, x.shape[axis], self.shape(2, 1, 3)
            )
            indices = indices.astype(self.pick(np.int32, np.int64))
            return Case(op, {"x": x, "i": indices}, {"axis": axis}, self.pick("", "i"))
        if op == "Concat":
            base, axis = self.shape(3), self.axis(3)
            shapes = [
                [self.ints(1, 4, 1)[0] if i == axis % 3 else s for i, s in enumerate(base)] for _ in "abc"
            ]
            return Case(
                op, {n: self.reals(*s) for n, s in zip("abc", shapes)}, {"axis": axis}, self.pick("", "b")
            )
        if op == "Tile":
            return Case(
                op, {"x": self.reals(*self.shape(3, 1, 4)), "r": np.array(self.ints(1, 3, 3))}, {}, "r"
            )
        block = self.pick(1, 2, 3)
        if op == "DepthToSpace":
            mode = {"mode": self.pick("DCR", "CRD")} if self.opset >= 11 else {}
            x = self.reals(self.pick(1, 2), block * block * self.pick(1, 2), *self.shape(2, 1, 4))
            return Case(op, {"x": x}, {"blocksize": block, **mode})
        if op == "SpaceToDepth":
            return Case(op, {"x": self.reals(2, self.pick(1, 2), block * 2, block * 3)}, {"blocksize": block})
        shape = self.pick([0, -1], [4, -1, 2], [0, 0, 4], [-1], [2, 1, 12])
        return Case(op, {"x": self.reals(2, 3, 4), "s": np.array(shape)}, {}, "s")

    def norm(self):
        channels, pixels = self.pick(3, 6), self.shape(self.pick(1, 2, 3), 2, 4)
        x = self.reals(2, channels, *pixels)
        vectors = [self.reals(channels) for _ in range(4)]
        vectors[3] = np.abs(vectors[3]) + np.float32(0.1)
        op = self.pick(
            "BatchNormalization", "InstanceNormalization", "LRN", "GlobalAveragePool", "GlobalMaxPool"
        )
        if op == "BatchNormalization":
            return Case(op, {"x": x, **dict(zip("sbmv", vectors))}, {"epsilon": 1e-3}, "sbmv")
        if op == "InstanceNormalization":
            return Case(
                op, {"x": x, "s": vectors[0], "b": vectors[1]}, {"epsilon": 1e-3}, self.pick("", "sb")
            )
        if op == "LRN":
            image = self.reals(2, channels, 3, 4)
            return Case(
                op, {"x": image}, {"size": self.pick(1, 3, 5), "alpha": 0.1, "beta": 0.5, "bias": 2.0}
            )
        return Case(op, {"x": x})

    def cast(self):
        to = self.pick(TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL)
        x = self.pick(np.abs(self.reals(3, 4) * 20), self.rng.integers(0, 100, (3, 4)))
        return Case("Cast", {"x": x}, {"to": to})


KINDS = ("conv", "conv_transpose", "pool", "resize", "pad", "slice", "reduction", "extreme", "softmax", "binary",
         "parts", "dense", "moves", "norm", "cast")  # fmt: skip
