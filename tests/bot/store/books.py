"""Credits in a dozen lines: what the store must come to, reckoned in another way than the store does it."""


class Books:
    """One account: what was used of each day, what was granted, and what is held of either for which job."""

    def __init__(self, allowance=10_000, day=0):
        self.day, self.allowance, self.extra = day, allowance, 0
        #: What each job used of each day: what is of one job counts once, however often it is told.
        self.used = {}
        self.held = {}

    @property
    def balance(self):
        """What is left of today's: less than nothing where more was used than is allowed now."""
        return (self.allowance or 0) - sum(self.used.get(self.day, {}).values())

    @property
    def left(self):
        """What can be spent of today's."""
        return max(0, self.balance)

    def can(self, amount):
        """Return whether so much can be held."""
        return self.allowance is None or amount <= self.left + self.extra

    def hold(self, job, amount):
        """Hold, today's before granted ones, and return whether that could be; where there is no limit nothing is written down."""
        if self.allowance is None or not self.can(amount):
            return self.can(amount)
        today = min(self.left, amount)
        self.held[job] = self.day, today, amount - today
        self.used.setdefault(self.day, {})[job] = today
        self.extra -= amount - today
        return True

    def settle(self, job, charged):
        """Give back what was not charged, granted ones first; what is back of another day has gone with it."""
        day, today, granted = self.held.pop(job, (self.day, 0, 0))
        back = max(0, today + granted - charged)
        self.extra += min(back, granted)
        if job in (of_day := self.used.get(day, {})):
            of_day[job] -= back - min(back, granted)

    def grant(self, amount):
        """Grant, or take back down to none."""
        self.extra += max(amount, -self.extra)

    def join(self, other):
        """Take in the books of somebody who is one with their person now: one day's allowance for what both used."""
        self.extra += other.extra
        self.held |= other.held
        for day, used in other.used.items():
            mine = self.used.setdefault(day, {})
            # Of a job that both were part of the one knows less where something came back since they parted.
            mine |= {job: min(amount, mine.get(job, amount)) for job, amount in used.items()}

    def parted(self):
        """Return the books of somebody who was one with their person until now: what was used today is used for both."""
        new = Books(self.allowance, self.day)
        new.used[self.day] = dict(self.used.get(self.day, {}))
        return new
