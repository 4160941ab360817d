"""Tokens and money of a paid endpoint: a call that could pass the cap is not made."""

from __future__ import annotations

import threading

from lcbm_model.errors import BackendError, SettingsError


class SpendMeter:
    """Counts what was spent and says how much an answer may still cost. Safe to share between threads.

    Args:
        price_in: Price of a million prompt tokens.
        price_out: Price of a million written tokens, same currency.
        cap: Most that may be spent over the meter's life; None for no cap.

    Raises:
        SettingsError: A negative number, or a cap without prices.
    """

    def __init__(self, price_in: float = 0.0, price_out: float = 0.0, cap: float | None = None) -> None:
        for name, value in (("price_in", price_in), ("price_out", price_out), ("spend_cap", cap)):
            if value is not None and not 0 <= value < float("inf"):
                raise SettingsError(f"writer {name}", "must be zero or more", value=value, remedy="Mend the setting")
        if cap is not None and price_in == 0 and price_out == 0:
            raise SettingsError(
                "writer spend_cap",
                "cannot be kept without prices",
                value=cap,
                remedy="Set the prices per million tokens: LCBM_WRITER_PRICE_IN and LCBM_WRITER_PRICE_OUT",
            )
        self.price_in, self.price_out, self.cap = price_in, price_out, cap
        self.spent = 0.0
        self.tokens = 0
        self._reserved = 0.0
        self._lock = threading.Lock()

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        return (tokens_in * self.price_in + tokens_out * self.price_out) / 1e6

    def reserve(self, tokens_in: int, tokens_out: int, *, where: str) -> float:
        """Set the most a call can cost aside before it is made; hand the sum to `settle`.

        Raises:
            BackendError: It could pass the cap.
        """
        most = self.cost(tokens_in, tokens_out)
        with self._lock:
            if self.cap is not None and self.spent + self._reserved + most > self.cap:
                raise BackendError(
                    f"{where}: the next call could cost {most:.4g}; {self.spent:.4g} are spent, the spend cap is "
                    f"{self.cap:.4g}. Raise LCBM_WRITER_SPEND_CAP or go on with other writers"
                )
            self._reserved += most
        return most

    def settle(self, reserved: float, tokens_in: int, tokens_out: int) -> float:
        """Book what a call really used (zeros for a call that failed) and return its cost."""
        cost = self.cost(tokens_in, tokens_out)
        with self._lock:
            self._reserved -= reserved
            self.spent += cost
            self.tokens += tokens_in + tokens_out
        return cost
