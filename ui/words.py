"""Numbers and states in plain words: what every tab says about a percentile, an interval, a chance."""

from __future__ import annotations

from collections.abc import Sequence

from lcbm_model.content import CHANNELS, Content
from lcbm_model.metrics import get_metric
from lcbm_model.prediction import Prediction, SimulatorIdentity
from optimizer.result import Candidate, OptimizationResult

HINTS = {
    "percentile": (
        "Predicted percentile, 0 to 100: of 100 comparable texts, how many this one is expected to leave behind. "
        "50 is the middle."
    ),
    "interval": (
        "The range in which the true percentile is meant to lie that often. The wider it is, the less the model knows."
    ),
    "win": "Chance, in percent, that this text does better than your original. 50 % is a coin toss.",
    "share": (
        "Chance, in percent, that this text does best of all the lines here. The chances add up to 100 %. Lines are "
        "compared with each other: what is unsure of all of them alike takes nothing away, so chances can differ "
        "widely where ranges overlap."
    ),
    "moves": "Percentile points from the first setting to the second, and the rank in each.",
    "similarity": "How close in meaning, from -1 to 1: 1 says the same, near 0 is about something else.",
    "result": "What readers really did, as measured in your file.",
    "past": "Where the measured result ranks among your own posts in the same channel, 0 to 100.",
    "raw": "The same on the goal's own scale, translated by your past posts.",
    "chosen": (
        "The text this run would publish: the best one whose lead is likely to be real, that keeps your facts and "
        "rules, and whose score can be trusted. It need not have the highest number."
    ),
    "unconfirmed": (
        "The best draft of this run by the model that steered the search. The second, independent model does not "
        "confirm that it beats your original: keep that one, or publish both and count."
    ),
    "alone": (
        "The best draft of this run that keeps your facts and rules. You gave no draft of your own, so nothing says "
        "whether it is better than what you would have published."
    ),
    "slate": "Good drafts that differ from each other: ideas to choose among, or to test against each other.",
    "kept": (
        "The facts that must stay are there, and so are the numbers, prices, dates and links of your draft. No number, "
        "name or claim was added, and no rule is broken."
    ),
    "left_out": (
        "Said in your message or draft, and not in this text. What has to be in every text belongs under “Facts that "
        "must stay”."
    ),
    "judge_win": (
        "Chance, in percent, that this text does better than your original, by the second model, which the search "
        "never saw. 50 % is a coin toss."
    ),
    "calls": "Drafts that were scored, and the best one again with its parts left out, to see what carries it.",
    "meaning": "Likeness in meaning to what has to be said, 0 to 1. Below the limit of the brief a draft is refused.",
    "nearest": "Likeness in meaning to the nearest of your past posts, 0 to 1. Low: the draft is new ground for you.",
    "adjusted": (
        "Percentile points that texts of this length get from the model anyway. The ranking leaves them out, so that "
        "nobody wins by being long."
    ),
    "why": (
        "Each phrase, the opening and the picture are left out in turn and the rest is scored again. The difference, "
        "in percentile points, is what that part is worth to the model. It is the model's view, not a proof."
    ),
    "gain": "Difference between the best candidate and your original, in percentile points.",
}

WRITERS = {"edits": "edited by rule", "crossover": "two drafts joined", "embedded": "the built-in language model"}
"""Writers as people know them; others by their own names."""
UNTUNED = (
    "This model has never seen how real audiences behaved. Its scores carry no evidence yet: "
    "use them to learn the app, not to choose what to publish."
)
UNCALIBRATED = (
    "The ranges shown come straight from the model and were not checked against real results; they may be too narrow."
)
UNSAID = (
    "The model judges {what} by the kind of post and the title it goes with as much as by the words. Say them for a "
    "closer prediction."
)
UNLEARNT = (
    "The model has never seen what makes for a high {what}: it guesses from other behaviour, and its ranges are wider."
)
FOREIGN = (
    "The model has learned from texts in {known} alone. {whose} in another language ({languages}): nobody has measured "
    "how well it judges those. Take the order as a guess."
)
NOBODY = "No independent judge confirmed the gain"
"""How the loop's own form of the next sentence begins."""
NO_JUDGE = (
    "No second, independent model has checked this result. The gain is the view of the one model "
    "the search was steered by, and such gains tend to look larger than they are."
)


def ordinal(value: float) -> str:
    """63.2 -> '63rd'."""
    number = round(value)
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def percent(share: float | None) -> str:
    """0.823 -> '82 %'; a chance is never shown as a certainty."""
    if share is None:
        return "not known"
    if 0 < share < 0.01:
        return "< 1 %"
    if 0.99 < share < 1:
        return "> 99 %"
    return f"{100 * share:.0f} %"


def points(gain: float | None) -> str:
    """Percentile points with their sign."""
    if gain is None:
        return "not known"
    if round(gain) == 0:
        return "0 points"
    return f"{gain:+.0f} points".replace("-", "\N{MINUS SIGN}")


def heights(bins: Sequence[float]) -> list[int]:
    """Probabilities of the tenths as bar heights, 4..100 percent of the tallest."""
    top = max(bins, default=0.0)
    return [max(4, round(100 * b / top)) if top > 0 else 4 for b in bins]


def figure(value: float, metric: str) -> str:
    """A value on the metric's own scale, short: '1.96 %', '240'."""
    kind = get_metric(metric).kind
    return f"{100 * value:.2f} %" if kind == "rate" else f"{value:,.0f}" if kind == "count" else f"{value:.2f}"


def channel(name: str) -> str:
    """A channel as people say it."""
    return CHANNELS.get(name, name.replace("_", " "))


def raw(value: float | None, metric: str) -> str:
    """A value on the metric's own scale, with its unit."""
    if value is None:
        return "not measured"
    known = get_metric(metric)
    unit = {"rate": known.title, "count": known.unit, "rating": f"({known.unit})"}[known.kind]
    return f"{figure(value, metric)} {unit}"


def interval(prediction: Prediction) -> str:
    """'80 % range 48 to 77'."""
    if prediction.low is None or prediction.high is None:
        return "no range given"
    return f"{100 * prediction.level:.0f} % range {prediction.low:.0f} to {prediction.high:.0f}"


def duration(seconds: float) -> str:
    """'42 s', '3 min 05 s'."""
    whole = int(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


def model_cautions(identity: SimulatorIdentity, metric: str = "", contents: Sequence[Content] = ()) -> list[str]:
    """What a reader must know about the model before believing a number it gave these contents."""
    if not identity.tuned:
        return [UNTUNED]
    told = [] if identity.calibration_id else [UNCALIBRATED]
    if metric and identity.metrics and metric not in identity.metrics:
        told.append(UNLEARNT.format(what=get_metric(metric).title))
    if foreign := identity.foreign(contents):
        n, others = sum(foreign.values()), ", ".join(foreign)
        whose = "These are" if n == len(contents) else f"{n} of {len(contents)} lines are" if n > 1 else "1 line is"
        told.append(FOREIGN.format(known=", ".join(identity.languages), whose=whose, languages=others))
    if bare := identity.without_kind(metric, contents):
        whose = "" if bare == len(contents) else f" Of {bare} of {len(contents)} lines it knows neither."
        told.append(f"{UNSAID.format(what=get_metric(metric).title)}{whose}")
    return told


def result_cautions(result: OptimizationResult) -> list[str]:
    """The same for a finished run, its own warnings included."""
    told = model_cautions(result.simulator)
    if result.judge is None:
        told.append(NO_JUDGE)
    # The result's own sentences for these two facts are not said twice; others may hold the same words.
    untuned = f"The simulator {result.simulator.checkpoint} is untuned"
    said = [own for own, true in ((untuned, not result.simulator.tuned), (NOBODY, result.judge is None)) if true]
    return told + [w for w in result.warnings if not w.startswith(tuple(said))]


def origin(candidate: Candidate) -> str:
    """Where a candidate came from, for its small print."""
    if candidate.round == 0:
        return "your original"
    if candidate.writer == "human":
        return f"round {candidate.round}, your own words"
    known = {"write": "written", "rewrite": "rewritten", "from-example": "after a past winner"}
    how, who = known.get(candidate.strategy), WRITERS.get(candidate.writer, candidate.writer)
    spoken = candidate.strategy.replace(":", " ").replace("+", ", ").replace("-", " ")
    return f"round {candidate.round}, {f'{how} by {who}' if how else f'{who}: {spoken}'}"
