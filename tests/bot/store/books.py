"""A small model of credits: the expected balances, computed in another way than in the store."""


class Books:
    """One account: the usage of each day, granted credits, and the holds of each job."""

    def __init__(self, allowance=10_000, day=0):
        self.day, self.allowance, self.extra = day, allowance, 0
        #: The usage of each job by day: a job counts once, however often it is reported.
        self.used = {}
        self.held = {}

    @property
    def balance(self):
        """Return today's remaining credits: negative if more was used than is allowed now."""
        return (self.allowance or 0) - sum(self.used.get(self.day, {}).values())

    @property
    def left(self):
        """Return the credits of today that can be spent."""
        return max(0, self.balance)

    def can(self, amount):
        """Return whether this amount can be held."""
        return self.allowance is None or amount <= self.left + self.extra

    def hold(self, job, amount):
        """Hold credits, daily before granted, and return whether that was possible; without a limit nothing is recorded."""
        if self.allowance is None or not self.can(amount):
            return self.can(amount)
        today = min(self.left, amount)
        self.held[job] = self.day, today, amount - today
        self.used.setdefault(self.day, {})[job] = today
        self.extra -= amount - today
        return True

    def settle(self, job, charged):
        """Give back the credits that were not charged, granted first; returned credits of another day have expired."""
        day, today, granted = self.held.pop(job, (self.day, 0, 0))
        back = max(0, today + granted - charged)
        self.extra += min(back, granted)
        if job in (of_day := self.used.get(day, {})):
            of_day[job] -= back - min(back, granted)

    def grant(self, amount):
        """Grant credits, or take granted credits back, down to zero."""
        self.extra += max(amount, -self.extra)

    def join(self, other):
        """Merge the books of a user who is now the same user: one daily allowance for the usage of both."""
        self.extra += other.extra
        self.held |= other.held
        for day, used in other.used.items():
            mine = self.used.setdefault(day, {})
            # For a job in both books the lower usage is right, because credits may have come back since the unlinking.
            mine |= {job: min(amount, mine.get(job, amount)) for job, amount in used.items()}

    def parted(self):
        """Return the books of a user who was unlinked: today's usage counts for both."""
        new = Books(self.allowance, self.day)
        new.used[self.day] = dict(self.used.get(self.day, {}))
        return new
