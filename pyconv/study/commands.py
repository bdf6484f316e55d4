"""The subcommands of `pyconv`: what to measure comes in by options, tables go out to the terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

import pyconv as engine
from pyconv.study import machine, machine_probe, report, survey

_ISAS = click.Choice(["scalar", "avx2", "avx512", "neon"])
_ACCURACY = click.Choice(["fast", "exact"])
_POSITIVE = click.IntRange(min=1)


class _Size(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """56, or 56x80 for height and width."""

    name = "H[xW]"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        sides = str(value).lower().split("x")
        if not 1 <= len(sides) <= 2 or not all(side.isdigit() and int(side) > 0 for side in sides):
            self.fail(f"expected a size such as 56 or 56x80, got {value!r}", param, ctx)
        return int(sides[0]), int(sides[-1])


@click.group(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(engine.__version__, package_name="pyconv-engine")
def pyconv() -> None:
    """A convolution engine for CPUs that shows its work."""


@pyconv.group(invoke_without_command=True)
@click.option("--channels", type=_POSITIVE, default=128, help="Feature maps made from the photograph.")
@click.option("--size", type=_Size(), default="56", help="Height and width of the feature maps.")
@click.option("--filters", type=_POSITIVE, help="Filters of each layer.  [default: as many as channels]")
@click.option("--kernel", type=_POSITIVE, default=3, help="Kernel height and width.")
@click.option("--threads", type=_POSITIVE, default=1, help="Threads, of the roofline as well.")
@click.option(
    "--accuracy", type=_ACCURACY, default="fast", help="exact: no transform, the same bits everywhere."
)
@click.option("--rounds", type=_POSITIVE, default=60, help="Interleaved rounds of timing; the best counts.")
@click.option(
    "--photo", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Your own photograph."
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=".",
    help="Directory of PNG and JSON.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option("--no-plot", is_flag=True, help="Draw no picture.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also a page: rooflines, predictions, refusals.",
)
@click.pass_context
def study(
    context: click.Context,
    channels: int,
    size: tuple[int, int],
    filters: int | None,
    kernel: int,
    threads: int,
    accuracy: str,
    rounds: int,
    photo: Path | None,
    output: Path,
    as_json: bool,
    no_plot: bool,
    html: Path | None,
) -> None:
    """How much of the FLOP saving of factorised convolutions becomes a time saving?

    Compares normal, depthwise, pointwise, spatially separable and depthwise-separable convolutions
    on feature maps of a photograph, on this machine. The commands below take other layers and networks.
    """
    if context.invoked_subcommand is not None:
        _refuse_options(context)
        return
    from pyconv.study import compare

    if not no_plot:
        from pyconv.study import plot  # now, so that a missing matplotlib is told before measuring

    height, width = size
    settings = compare.Settings(
        channels, height, width, filters or channels, kernel, threads, accuracy, rounds, photo=photo
    )
    try:
        with _Bars() as bars:
            found = compare.run(settings, bars)
    except (compare.WrongResult, ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    output.mkdir(parents=True, exist_ok=True)
    stem = f"study-c{channels}f{settings.filters}_{height}x{width}k{kernel}"
    written = [output / f"{stem}.json"]
    report.write_json(found, written[0])
    if not no_plot:
        written.append(output / f"{stem}.png")
        plot.draw(found, written[1])
    if html is not None:
        from pyconv.study import kinds, page

        page.render(kinds.document(settings, found, on_step=lambda part: click.echo(part, err=True))).save(html)
        written.append(html)
    if as_json:
        click.echo(written[0].read_text(encoding="utf-8"), nl=False)
        return
    console = _console()
    console.print(report.render(found))
    console.print(f"Written: {', '.join(map(str, written))}", style="dim", highlight=False)


def _refuse_options(context: click.Context) -> None:
    """Options of the study itself mean nothing to its commands."""
    for name in context.params:
        if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            raise click.UsageError(f"--{name.replace('_', '-')} stands before {context.invoked_subcommand}")


@pyconv.command()
@click.option("--isa", type=_ISAS, help="Instruction set.  [default: what this process may use]")
@click.option("--threads", type=_POSITIVE, default=1, help="Threads that run together.")
@click.option("--refresh", is_flag=True, help="Measure again, whatever the cache holds.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw the roofline there.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def probe(isa: str | None, threads: int, refresh: bool, plot: Path | None, as_json: bool) -> None:
    """The roofline of this machine: FMA peak and the bandwidth of each level of memory.

    Also the peak of every instruction set and number of threads, how steady the clock is, the time that a
    hypervisor takes away, and the price of a page that is touched first.
    """
    if plot is not None:
        from pyconv.study.plot import draw_roofline  # now, so that a missing matplotlib is told first
    try:
        with _Bars() as bars, bars.stage("this machine", machine_probe.steps()) as done:
            found = machine_probe.probe(isa, threads=threads, refresh=refresh, on_step=done)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    roofline = found.roofline
    if plot is not None:
        draw_roofline(found, plot)
    if as_json:
        click.echo(json.dumps(found.as_dict(), indent=1))
        return
    console = _console()
    console.print(report.machine_line(roofline), style="bold", highlight=False)
    console.print(report.roofline_table(roofline))
    console.print(report.peaks_table(found))
    console.print(report.steadiness(found), highlight=False)
    kept = machine.cache_file(roofline.isa, threads, "probe")
    console.print(f"Kept in {kept}; --refresh measures again.", style="dim", highlight=False, soft_wrap=True)


@pyconv.command()
@click.argument("problem")
@click.option("--accuracy", type=_ACCURACY, default="fast")
@click.option("--threads", type=_POSITIVE, default=1)
@click.option("--measure", is_flag=True, help="Also run each accepted algorithm: time, spread, roofline, error.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def algorithms(problem: str, accuracy: str, threads: int, measure: bool, as_json: bool) -> None:
    """Which algorithms accept PROBLEM, at what cost, and why the others refuse.

    PROBLEM is a line such as g1ic32oc64_ih112kh3sh1ph1.
    """
    try:
        found = survey.algorithms(engine.Conv2dProblem(problem), accuracy, threads, measure)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(found.as_dict(), indent=1))
        return
    _console().print(survey.algorithms_table(found))


@pyconv.command()
@click.option("--all", "everything", is_flag=True, help="Also those that this process may not use.")
def kernels(everything: bool) -> None:
    """The kernels of this build, by family."""
    _console().print(survey.kernels_table(everything))


@pyconv.command()
def config() -> None:
    """Version, compiler, CPU, instruction set and threads of this process."""
    click.echo(engine.show_config())
    click.echo(f"roofline kept in {machine.cache_file(machine.current_isa(), 1)}")


@pyconv.command()
@click.argument("size", type=int)
@click.argument("kernel", type=int)
@click.option("--stride", type=int, default=1)
@click.option(
    "--padding", type=int, nargs=2, default=None, metavar="BEFORE AFTER", help="Pixels on each side."
)
@click.option("--dilation", type=int, default=1)
def size(size: int, kernel: int, stride: int, padding: tuple[int, int] | None, dilation: int) -> None:
    """How many outputs a filter of KERNEL taps has along SIZE pixels, and why."""
    try:
        found = engine.conv_output_size(
            size, kernel, stride=stride, padding=padding or (0, 0), dilation=dilation
        )
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    click.echo(str(found))


class _Bars:
    """Progress bars on standard error, gone when the work is done."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[part]}"),
            console=Console(stderr=True),
            transient=True,
        )

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Callable[[str], None]]:
        task = self._progress.add_task(title, total=total, part="")
        yield lambda part: self._progress.update(task, advance=1, part=part)
        self._progress.update(task, completed=total, part="")


def _console() -> Console:
    """Standard output; wide where it is no terminal, so that files and pipes keep whole rows."""
    console = Console()
    return console if console.is_terminal else Console(width=180)
