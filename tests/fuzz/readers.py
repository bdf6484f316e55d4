"""Feeds spoiled files to every reader of the package, through its public functions.

    python tests/fuzz/readers.py onnx --executions 200000 [--seed 1]
    python tests/fuzz/readers.py onnx --atheris --executions 200000      (guided by coverage)

A file is read, or refused with a ValueError that names the file and says why; never another exception,
never in more than SECONDS, never with more memory than ROOM besides. Networks that were read and are small are
compiled and run as well. Reproduce a failure with --seed and --first from its message.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import random
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import spoil  # noqa: E402

import pyconv  # noqa: E402
from pyconv.formats import load_weights  # noqa: E402

SECONDS = 10.0
ROOM = 512 << 20  # bytes of address space that reading one file may take beyond what the process has
MADE = 16 << 20  # bytes of constants that the importer may make of a file here
SMALL = 1 << 16  # elements of inputs and outputs of the networks that are compiled and run


class Broken(AssertionError):
    """A promise that was not kept."""


def refused(function, path):
    """The function's result, or None where it refused the file as it should."""
    try:
        return function(path)
    except ValueError as error:
        text = str(error)
        if isinstance(error, UnicodeError) or not text.startswith(str(path)) or len(text) < len(str(path)) + 8:
            raise Broken(f"a refusal that does not say where: {error!r}") from error
        return None


def elements(shapes):
    return max((int(np.prod(shape, dtype=object)) for shape in shapes), default=0)


def run_small(compile_it):
    """Compiles and runs; a ValueError that says something is as good."""
    try:
        model = compile_it()
        graph = model._core.graph
        model(*[np.ones(graph.value(i)[2], graph.value(i)[1]) for i in graph.inputs])
    except ValueError as error:
        if len(str(error)) < 8:
            raise Broken(f"a refusal that says nothing: {error!r}") from error


def read_onnx(path):
    network = refused(pyconv.load, path)
    if network is None:
        return False
    builder = pyconv.graph.GraphBuilder()
    try:
        network.graph_for(None, builder)
    except ValueError as error:
        if isinstance(error, UnicodeError) or len(str(error)) < 8:
            raise Broken(f"a refusal that does not say where: {error!r}") from error
        return False
    graph = builder.graph
    shapes = [graph.value(i)[2] for node in graph.nodes() for i in (*node["inputs"], *node["outputs"]) if i >= 0]
    if elements([*shapes, *(graph.value(i)[2] for i in graph.inputs)]) <= SMALL and len(graph.nodes()) <= 64:
        run_small(lambda: pyconv.compile(builder, accuracy="exact"))
    return True


def read_model_file(path):
    found = refused(pyconv._core.load_model_file, path)
    if found is None:
        return False
    graph, _ = found
    shapes = [graph.value(i)[2] for node in graph.nodes() for i in (*node["inputs"], *node["outputs"]) if i >= 0]
    if elements([*shapes, *(graph.value(i)[2] for i in graph.inputs)]) > SMALL:
        return True
    model = refused(pyconv.load, path)
    if model is not None:
        run_small(lambda: model)
    return True


def read_weights(path):
    return refused(load_weights, path) is not None


def onnx_seeds():
    from onnx import TensorProto, helper, numpy_helper

    from support import onnx_drawn

    for kind in onnx_drawn.KINDS:
        for seed in range(12):
            opset = 7 + (5 * seed) % 16
            yield getattr(onnx_drawn.Draw([seed, 7], opset), kind)().model(opset)
    weight = numpy_helper.from_array(np.linspace(-1, 1, 36, dtype=np.float32).reshape(2, 2, 3, 3), "w")
    shape = numpy_helper.from_array(np.array([1, -1], np.int64), "s")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["a"], ["b"]),
        helper.make_node("Mul", ["a", "b"], ["c"]),
        helper.make_node("Shape", ["c"], ["d"]),
        helper.make_node("ConstantOfShape", ["d"], ["e"]),
        helper.make_node("Add", ["c", "e"], ["f"]),
        helper.make_node("Reshape", ["f", "s"], ["g"]),
        helper.make_node("Softmax", ["g"], ["y"], axis=-1),
    ]
    graph = helper.make_graph(
        nodes, "chain", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 2, 6, 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], [weight, shape],
    )  # fmt: skip
    yield helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


class OnnxFiles:
    suffix = ".onnx"
    read = staticmethod(read_onnx)

    def __init__(self):
        from pyconv.formats.onnx import importer, operators

        importer.MOST_MADE = MADE
        self.seeds = list(onnx_seeds())
        self.spoil = spoil.MessageSpoiler([*operators(), "constant", "SAME_UPPER", "linear", "ai.onnx.ml"])

    def drawn(self, rng):
        model = rng.choice(self.seeds)
        if rng.randrange(8):
            model = type(model).FromString(model.SerializeToString())
            self.spoil(model, rng)
            return model.SerializeToString()
        return spoil.spoil_bytes(model.SerializeToString(), rng)

    def mutated(self, data, rng):
        """For a guided search: another change of what it found."""
        from google.protobuf.message import DecodeError

        kind = type(self.seeds[0])
        try:
            model = kind.FromString(data)
        except DecodeError:
            return spoil.spoil_bytes(data, rng)
        self.spoil(model, rng)
        return model.SerializeToString()


class FileSeeds:
    """Readers whose seeds are files. Half of the changes go to what stands behind a length or a checksum."""

    within = staticmethod(spoil.spoil_bytes)

    def drawn(self, rng):
        return self.mutated(rng.choice(self.seeds), rng)

    def mutated(self, data, rng):
        return self.within(data, rng) if rng.randrange(2) else spoil.spoil_bytes(data, rng)


class ModelFiles(FileSeeds):
    suffix = ".pyconv"
    within = staticmethod(spoil.spoil_header)
    read = staticmethod(read_model_file)

    def __init__(self):
        import seeds

        from pyconv.formats import model_file

        options = '{"threads":2,"accuracy":"exact","algorithms":{},"without":["fuse_scale"]}'
        graphs = [*seeds.networks(), *seeds.drawn()]
        self.seeds = [model_file.dumps(graph, {"pyconv.options": options}) for graph in graphs]


class Safetensors(FileSeeds):
    suffix = ".safetensors"
    within = staticmethod(spoil.spoil_header)
    read = staticmethod(read_weights)

    def __init__(self):
        from pyconv.formats import safetensors

        arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(3, np.float16), "c": np.ones(2, bool)}
        self.seeds = [safetensors.dumps(arrays, metadata={"k": "v"}), safetensors.dumps({}, metadata={})]


class Npz(FileSeeds):
    suffix = ".npz"
    read = staticmethod(read_weights)
    within = staticmethod(spoil.spoil_zip)

    def __init__(self):
        import io

        self.seeds = []
        for write in (np.savez, np.savez_compressed):
            file = io.BytesIO()
            write(file, a=np.arange(6, dtype=np.float32).reshape(2, 3), b=np.ones((2, 2), ">i4"), c=np.ones(3, bool))
            self.seeds.append(file.getvalue())


class Torch(FileSeeds):
    suffix = ".pt"
    read = staticmethod(read_weights)
    within = staticmethod(spoil.spoil_zip)

    def __init__(self):
        from support import torch_files

        data = np.arange(8, dtype=np.float32).tobytes()
        state = {
            "w": torch_files.tensor("0", "FloatStorage", 8, (2, 3), (3, 1), 1),
            "b": torch_files.parameter(torch_files.tensor("0", "FloatStorage", 8, (2,), (1,), 0)),
        }
        self.seeds = []
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "seed"
            self.seeds.append(torch_files.write_zip(path, state, {"0": data}).read_bytes())
            self.seeds.append(torch_files.write_stream(path, state, {"0": (8, data)}).read_bytes())


KINDS = {
    "onnx": OnnxFiles, "model_file": ModelFiles, "safetensors": Safetensors, "npz": Npz, "torch": Torch,
}  # fmt: skip


class Watch:
    """Bounds of time and memory for what runs inside."""

    def __enter__(self):
        self.before = resource.getrlimit(resource.RLIMIT_AS)
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + ROOM, self.before[1]))
        self.handler = signal.signal(signal.SIGPROF, self.late)
        return self

    @staticmethod
    def late(*_):
        raise Broken(f"not done after {SECONDS} s of processor time")

    def __exit__(self, *_):
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, self.handler)
        resource.setrlimit(resource.RLIMIT_AS, self.before)

    @staticmethod
    def begin():
        signal.setitimer(signal.ITIMER_PROF, SECONDS)


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def fuzz(kind, executions, seed=0, first=0, progress=None):
    """Runs `executions` spoiled files of a kind; returns how many were read, and by how much memory grew."""
    files = KINDS[kind]()
    folder = "/dev/shm" if os.path.isdir("/dev/shm") else None
    handle, path = tempfile.mkstemp(files.suffix, "spoiled", folder)
    os.close(handle)
    taken, early, begun = 0, 0, time.monotonic()
    with Watch() as watch:
        for i in range(first, first + executions):
            Path(path).write_bytes(files.drawn(random.Random(f"{kind} {seed} {i}")))
            watch.begin()
            try:
                taken += files.read(path)
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                raise Broken(f"{kind} --seed {seed} --first {i}, the file is {path}: {error!r}") from error
            if i - first == executions // 5:
                early = resident()
            if progress and (i + 1) % 1000 == 0:
                progress(i + 1 - first, taken, time.monotonic() - begun)
    os.unlink(path)
    return taken, resident() - early


def guided(kind, executions, folder):
    """The same by atheris, which follows the coverage of the importer's Python."""
    import atheris

    with atheris.instrument_imports(include=["pyconv.formats"]):  # nothing of it is imported before
        files = KINDS[kind]()
    path = str(folder / f"guided{files.suffix}")
    watch = Watch()

    def once(data):
        Path(path).write_bytes(data)
        watch.begin()
        files.read(path)

    def mutate(data, most, seed):
        changed = files.mutated(bytes(data), random.Random(seed))
        return changed if len(changed) <= most else atheris.Mutate(data, most)

    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for i, found in enumerate(files.seeds):
        data = found if isinstance(found, bytes) else found.SerializeToString()
        (corpus / f"seed{i:03}").write_bytes(data)
    arguments = [sys.argv[0], str(corpus), f"-runs={executions}", "-max_len=65536", "-print_final_stats=1"]
    atheris.Setup([*arguments, f"-artifact_prefix={folder}/"], once, custom_mutator=mutate)
    watch.__enter__()
    atheris.Fuzz()


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--executions", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--atheris", type=Path, metavar="FOLDER", help="guided by coverage; the folder keeps its finds")
    given = parser.parse_args(arguments)
    faulthandler.enable()
    if given.atheris:
        guided(given.kind, given.executions, given.atheris)
        return

    def progress(done, taken, seconds):
        if done % 10_000 == 0:
            print(f"{done} files, {taken} read, {done / seconds:.0f} each second", flush=True)

    taken, grown = fuzz(given.kind, given.executions, given.seed, given.first, progress)
    print(f"{given.kind}: {given.executions} files, {taken} read, resident memory grew by {grown >> 20} MiB")


if __name__ == "__main__":
    main(sys.argv[1:])
