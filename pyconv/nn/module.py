"""Module: a layer or network with named parameters, as in torch.nn; forward() records a graph."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pyconv.graph import GraphBuilder, Tensor, recording, tracing

if TYPE_CHECKING:
    from pyconv.model import Model

Array = npt.NDArray[Any]
Init = Callable[[np.random.Generator], Array]

_seeds = itertools.count()
_root_seed = 0


def manual_seed(seed: int) -> None:
    """Modules made from now on begin with the same weights whenever they follow the same seed."""
    global _seeds, _root_seed
    _seeds, _root_seed = itertools.count(), seed


class Parameter:
    """An array of a module, made when it is first read.

    Args:
        shape: its shape.
        init: makes it from a random generator; an array is taken as it is.
    """

    def __init__(self, shape: tuple[int, ...], init: Init | Array, dtype: str = "float32") -> None:
        self.shape = tuple(shape)
        self.dtype = np.dtype(dtype)
        self._init = init
        self._seed = (_root_seed, next(_seeds))
        self._value: Array | None = None

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def value(self) -> Array:
        """The numbers, read-only: assign a new array to the module to change them."""
        value = self._value
        if value is None:
            made = self._init
            if callable(made):
                made = made(np.random.default_rng(self._seed))
            value = np.ascontiguousarray(made, dtype=self.dtype).reshape(self.shape)
            value.flags.writeable = False
            self._value = value  # whole: other threads may read it at once
        return value

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_init": self.value, "_value": None}


class Module:
    """Base of layers and networks: parameters, buffers and modules are attributes, named as in torch.

    A network is a class with ``forward``, ordinary Python over what the layers return:

    >>> import numpy as np
    >>> from pyconv import nn
    >>> class Tiny(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.conv = nn.Conv2d(3, 8, 3, padding=1)
    ...         self.fc = nn.Linear(8, 10)
    ...     def forward(self, x):
    ...         x = self.conv(x).relu()
    ...         return self.fc(x.mean((2, 3)))
    >>> net = Tiny()
    >>> net(np.zeros((1, 3, 8, 8), np.float32)).shape
    (1, 10)
    >>> list(net.state_dict())
    ['conv.weight', 'conv.bias', 'fc.weight', 'fc.bias']
    """

    def __init__(self) -> None:
        self.__dict__.update(
            _parameters={}, _buffers={}, _modules={}, _label="", _version=object(), _compiled=None, training=False
        )

    def forward(self, *inputs: Any) -> Any:
        """What the module computes, of symbolic tensors; to be written by each class."""
        raise NotImplementedError(f"{type(self).__name__}.forward")

    def __call__(self, *inputs: Any) -> Any:
        """On symbolic tensors: records. On arrays: compiles for their shapes, once, and runs."""
        if any(isinstance(x, Tensor) for x in inputs) or tracing() is not None:
            builder = tracing() or next(x.builder for x in inputs if isinstance(x, Tensor))
            with recording(builder), builder.scope(self._label):
                return self.forward(*inputs)
        return self._model_for(inputs)(*inputs)

    def _model_for(self, arrays: tuple[Any, ...]) -> Model:
        from pyconv.model import compile

        for x in arrays:
            if not isinstance(x, np.ndarray):
                raise TypeError(f"inputs: expected numpy arrays or symbolic tensors, got {type(x).__name__}")
        version = tuple(module._version for module in self.modules())
        compiled: tuple[Any, dict[Any, Model]] | None = self._compiled
        if compiled is None or compiled[0] != version:
            compiled = self.__dict__["_compiled"] = version, {}  # other threads keep to the one they found
        key = tuple((x.shape, x.dtype.str) for x in arrays)
        model = compiled[1].get(key)
        if model is None:
            model = compiled[1].setdefault(key, compile(self, [x.shape for x in arrays]))
        return model

    def _changed(self) -> None:
        """What was compiled of this module, or of those that hold it, is that of another one now."""
        self.__dict__["_version"] = object()

    def __setattr__(self, name: str, value: Any) -> None:
        if "_modules" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__}: call super().__init__() before setting '{name}'")
        if isinstance(value, Module):
            self.__dict__.pop(name, None)
            value.__dict__["_label"] = name
            self._modules[name] = value
        elif isinstance(value, Parameter):
            self.__dict__.pop(name, None)
            self._parameters[name] = value
        elif name in self._parameters or name in self._buffers:
            held = self._parameters if name in self._parameters else self._buffers
            held[name] = None if value is None else _checked(name, held[name], value)
        else:
            self.__dict__[name] = value
            if tracing() is not None:  # what forward notes as it goes
                return
        self._changed()

    def __getattr__(self, name: str) -> Any:
        for held in ("_parameters", "_buffers", "_modules"):
            found = self.__dict__.get(held, {})
            if name in found:
                value = found[name]
                return value.value if isinstance(value, Parameter) else value
        raise AttributeError(f"{type(self).__name__} has no attribute '{name}'")

    def __delattr__(self, name: str) -> None:
        for held in (self._parameters, self._buffers, self._modules):
            if name in held:
                del held[name]
                self._changed()
                return
        object.__delattr__(self, name)
        self._changed()

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        self._parameters[name] = parameter
        self._changed()

    def register_buffer(self, name: str, buffer: Parameter | None) -> None:
        """An array that belongs to the state but is not learned: a batch norm's running mean."""
        self._buffers[name] = buffer
        self._changed()

    def add_module(self, name: str, module: Module) -> None:
        setattr(self, name, module)

    def parameter(self, name: str) -> Array | None:
        """The parameter or buffer of this name, None where the module goes without."""
        held = self._parameters if name in self._parameters else self._buffers
        found = held.get(name)
        return None if found is None else found.value

    def array(self, name: str) -> Array:
        """The parameter or buffer of this name."""
        value: Array = getattr(self, name)
        return value

    def children(self) -> Iterator[Module]:
        yield from self._modules.values()

    def named_children(self) -> Iterator[tuple[str, Module]]:
        yield from self._modules.items()

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        yield prefix, self
        for name, module in self._modules.items():
            yield from module.named_modules(f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator[Module]:
        yield self
        for module in self._modules.values():
            yield from module.modules()

    def _named(self, held: str) -> Iterator[tuple[str, Parameter]]:
        for prefix, module in self.named_modules():
            for name, parameter in getattr(module, held).items():
                if parameter is not None:
                    yield f"{prefix}.{name}" if prefix else name, parameter

    def named_parameters(self) -> Iterator[tuple[str, Array]]:
        for name, parameter in self._named("_parameters"):
            yield name, parameter.value

    def num_parameters(self) -> int:
        """Learned numbers, as papers count them: buffers left out."""
        return sum(parameter.size for _, parameter in self._named("_parameters"))

    def state_dict(self) -> dict[str, Array]:
        """All parameters and buffers by torch's names, in torch's order; the arrays are read-only."""
        state = {}
        for prefix, module in self.named_modules():
            for held in (module._parameters, module._buffers):
                for name, parameter in held.items():
                    if parameter is not None:
                        state[f"{prefix}.{name}" if prefix else name] = parameter.value
        return state

    def load_state_dict(self, state: Mapping[str, Array], *, strict: bool = True) -> None:
        """Takes the arrays of `state`, which need not be copied, by name.

        Raises ValueError, and changes nothing, where names are missing or left over (``strict``), or
        a shape is another. ``num_batches_tracked`` may be left over or missing: inference has no use for it.
        """
        found: dict[str, tuple[Module, str]] = {}
        for prefix, module in self.named_modules():
            for held in (module._parameters, module._buffers):
                for name, parameter in held.items():
                    if parameter is not None:
                        found[f"{prefix}.{name}" if prefix else name] = module, name
        ignored = "num_batches_tracked"
        missing = [k for k in found if k not in state and not k.endswith(ignored)]
        unexpected = [k for k in state if k not in found and not k.endswith(ignored)]
        if strict and (missing or unexpected):
            raise ValueError(
                f"state: expected the {len(found)} names of {type(self).__name__}; "
                f"missing {_some(missing)}; unexpected {_some(unexpected)}"
            )
        checked = []
        for key, (module, name) in found.items():
            if key in state:
                held = module._parameters if name in module._parameters else module._buffers
                checked.append((module, held, name, _checked(key, held[name], state[key])))
        for module, held, name, parameter in checked:
            held[name] = parameter
            module._changed()

    def eval(self) -> Module:
        """Inference is all there is for now; here for torch's habit."""
        return self

    def extra_repr(self) -> str:
        return ""

    def __repr__(self) -> str:
        lines = []
        for name, module in self._modules.items():
            lines += f"({name}): {module!r}".split("\n")
        inside = self.extra_repr()
        if not lines:
            return f"{type(self).__name__}({inside})"
        return f"{type(self).__name__}(" + "".join(f"\n  {line}" for line in lines) + "\n)"

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        state["_compiled"] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"{len(names)}" + (f" ({shown})" if names else "")


def _checked(name: str, old: Parameter | None, value: Any) -> Parameter:
    array = np.asarray(value)
    if old is not None and array.shape != old.shape:
        raise ValueError(f"{name}: expected shape {old.shape}, got {array.shape}")
    dtype = old.dtype if old is not None else np.dtype("float32")
    if array.dtype != dtype:
        raise TypeError(f"{name}: expected {dtype}, got {array.dtype}")
    if array.flags.writeable:
        array = array.copy()
    return Parameter(array.shape, array, dtype.name)


class Sequential(Module):
    """Modules one after the other, named 0, 1, ... or by the keys of a dict.

    >>> from pyconv import nn
    >>> list(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()).state_dict())
    ['0.weight', '0.bias']
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        named: Iterable[tuple[str, Module]]
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named = modules[0].items()
        else:
            named = ((str(i), module) for i, module in enumerate(modules))
        for name, module in named:
            self.add_module(name, module)

    def append(self, module: Module) -> Sequential:
        self.add_module(str(len(self._modules)), module)
        return self

    def forward(self, x: Any) -> Any:
        for module in self._modules.values():
            x = module(x)
        return x

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __getitem__(self, index: int | slice) -> Any:
        modules = list(self._modules.values())
        return Sequential(*modules[index]) if isinstance(index, slice) else modules[index]


class ModuleList(Module):
    """Modules in a list, named 0, 1, ...; what is done with them is forward's affair."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> ModuleList:
        self.add_module(str(len(self._modules)), module)
        return self

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __getitem__(self, index: int) -> Module:
        modules: list[Module] = list(self._modules.values())
        return modules[index]


def trace(
    module: Module, shapes: Mapping[str, tuple[int, ...]], builder: GraphBuilder | None = None
) -> GraphBuilder:
    """The graph of ``module.forward`` on inputs of these shapes."""
    builder = builder or GraphBuilder()
    tensors = [builder.input(name, shape) for name, shape in shapes.items()]
    with recording(builder):
        result = module.forward(*tensors)
    outputs = list(result) if isinstance(result, tuple | list) else [result]
    for output in outputs:
        if not isinstance(output, Tensor):
            raise TypeError(
                f"{type(module).__name__}.forward: expected a Tensor or a tuple of them, "
                f"got {type(output).__name__}"
            )
    builder.outputs(outputs)
    return builder
