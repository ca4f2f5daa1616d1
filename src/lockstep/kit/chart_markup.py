"""The HTML of charts. A chart has hundreds of columns, links and cells: a template would take three times as long to write them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from markupsafe import Markup
from markupsafe import escape as escaped

from lockstep.kit.charts import Bar, LineChart, StackedChart
from lockstep.wording import duration


def stacked_markup(title: str, drawn: StackedChart, heading: str, *, has_totals: bool = True) -> Markup:
    """Return *drawn* with its legend and its table. *heading* is the heading of the table's first column, which has the names of the
    chart's columns. The legend shows the totals or, if *has_totals* is false, the newest values.
    """
    shown = [one.total if has_totals else one.values[-1] for one in drawn.series]
    keys = [_key(one.tone, one.label, f"{number:,}", one.href) for one, number in zip(drawn.series, shown, strict=True)]
    texts = [_escape(text) for text in drawn.texts]
    idle = [f'<rect class="chart-idle" x="{column + 0.19}" y="98" width="0.62" height="2"/>' for column in drawn.idle]
    columns = [
        f'<rect class="chart-column" x="{place}" y="0" width="1" height="100"><title>{text}</title></rect>'
        for place, text in enumerate(() if drawn.hrefs else texts)
    ]
    cells = [[_number(value) for value in one.values] for one in drawn.series]
    hrefs = [_escape(href) for href in drawn.hrefs]
    names = _names(drawn.columns, hrefs)
    rows = [_row(name, [one[place] for one in cells]) for place, name in enumerate(names)]
    return _figure(
        title,
        drawn,
        legend=keys,
        top=f"{drawn.top:,}",
        drawing=[*idle, *_bars(drawn.bars), *columns],
        links=_column_links(hrefs, texts),
        table=_table(title, heading, [one.label for one in drawn.series], rows),
    )


def line_markup(title: str, drawn: LineChart, heading: str, target: str = "") -> Markup:
    """Return *drawn* with its legend and its table. *target* is the name of the target line."""
    keys = [_key(one.tone, one.label, _length(one.last)) for one in drawn.series]
    if target:
        wanted = duration(drawn.target or 0.0)
        keys.append(
            f'<span class="chart-key"><span class="chart-target-key"></span>{_escape(target)} <strong>{wanted}</strong></span>'
        )
    line = f'<path class="chart-target" d="M0 {drawn.target_y}H{len(drawn.columns)}"/>'
    paths = [
        f'<path class="chart-line tone-{one.tone}" d="{path}"/>'
        for one, path in zip(drawn.series, drawn.paths, strict=False)
    ]
    hrefs = [_escape(href) for href in drawn.hrefs]
    names = _names(drawn.columns, hrefs)
    rows = [
        _row(names[place], [f'<td class="number">{_length(one.values[place])}</td>' for one in drawn.series])
        for place in drawn.known
    ]
    nothing = f'<tr><td colspan="{1 + len(drawn.series)}">Nothing was measured in this time.</td></tr>'
    return _figure(
        title,
        drawn,
        legend=keys,
        top=duration(drawn.top),
        drawing=[*([] if drawn.target_y is None else [line]), *_bars(drawn.bars), *paths],
        links=_column_links(hrefs, [_escape(text) for text in drawn.texts]),
        table=_table(title, heading, [one.label for one in drawn.series], rows or [nothing]),
    )


def _figure(
    title: str,
    drawn: StackedChart | LineChart,
    *,
    legend: Iterable[str],
    top: str,
    drawing: Iterable[str],
    links: str,
    table: str,
) -> Markup:
    first, last = (drawn.columns[0], drawn.columns[-1]) if drawn.columns else ("", "")
    html = f"""<figure class="chart-box">
<figcaption class="chart-legend">{"".join(legend)}</figcaption>
<div class="chart-plot">
<span class="chart-top" aria-hidden="true">{top}</span><span class="chart-zero" aria-hidden="true">0</span>
<svg class="chart" role="img" aria-label="{_escape(title)}" viewBox="0 0 {len(drawn.columns)} 100" preserveAspectRatio="none">
{"".join(drawing)}</svg>
{links}<span class="chart-names" aria-hidden="true"><span>{_escape(first)}</span><span>{_escape(last)}</span></span>
</div>
{table}
</figure>"""
    return Markup(html)  # noqa: S704  # every part was escaped where it was written


def _key(tone: str, label: str, text: str, href: str = "") -> str:
    inner = f'<span class="dot"></span>{_escape(label)} <strong>{text}</strong>'
    if href:
        return f'<a class="chart-key tone-{tone}" href="{_escape(href)}">{inner}</a>'
    return f'<span class="chart-key tone-{tone}">{inner}</span>'


def _bars(bars: Sequence[Bar]) -> list[str]:
    return [
        f'<rect class="tone-{bar.tone}" x="{bar.x}" y="{bar.y}" width="{bar.width}" height="{bar.height}"/>'
        for bar in bars
    ]


def _column_links(hrefs: Sequence[str], texts: Sequence[str]) -> str:
    """Return links that cover the columns of the drawing. For the keyboard and for screen readers, the table has the same links."""
    if not hrefs:
        return ""
    links = [
        f'<a href="{href}" tabindex="-1" title="{text}"></a>' if href else "<span></span>"
        for href, text in zip(hrefs, texts, strict=True)
    ]
    return f'<span class="chart-links" aria-hidden="true">{"".join(links)}</span>'


def _table(title: str, heading: str, labels: Sequence[str], rows: Iterable[str]) -> str:
    name = _escape(title)
    heads = "".join(f'<th scope="col" class="number">{_escape(label)}</th>' for label in labels)
    caption = f'<table class="table table-compact"><caption class="visually-hidden">{name}</caption>'
    return f"""<details class="chart-table"><summary>Show as a table</summary>
<div class="table-box" tabindex="0" role="region" aria-label="{name}">{caption}
<thead><tr><th scope="col">{_escape(heading)}</th>{heads}</tr></thead>
<tbody>{"".join(rows)}</tbody>
</table></div></details>"""


def _names(columns: Sequence[str], hrefs: Sequence[str]) -> list[str]:
    """Return the first cell of each row. *hrefs* must already be escaped; it may be empty."""
    if not hrefs:
        return [_escape(name) for name in columns]
    named = zip(columns, hrefs, strict=True)
    return [f'<a href="{href}">{_escape(name)}</a>' if href else _escape(name) for name, href in named]


def _row(name: str, cells: Iterable[str]) -> str:
    return f'<tr><th scope="row">{name}</th>{"".join(cells)}</tr>'


def _number(value: int) -> str:
    return f'<td class="number">{value:,}</td>' if value else '<td class="number zero">0</td>'


def _length(value: float | None) -> str:
    return "none" if value is None else duration(value)


def _escape(text: str) -> str:
    return str(escaped(text))


CHARTS: dict[str, Callable[..., Markup]] = {"stacked_markup": stacked_markup, "line_markup": line_markup}
