"""What is known of one export format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Source:
    """One export format. Headings are compared without regard to case, spaces and punctuation.

    Attributes:
        name: For the command line: "youtube".
        title: For people: where the file comes from.
        channel: What its posts are ranked among.
        signature: Headings that tell this export from others. The share of them that a file has is the confidence.
        columns: Our column name to the headings that carry it, the preferred one first. Texts take the first filled
            cell of each row, figures the first heading that is there.
        joined: Our column name to headings whose cells are put together in this order, where it has more than one.
        percent: Headings whose plain numbers are percent: 5.4 means 5.4 %.
        dates: strptime formats in which the export writes times, where they leave no doubt about day and month.
    """

    name: str
    title: str
    channel: str
    signature: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]
    joined: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    percent: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
