// Who has changed something by hand, in words.

/** Return who has caused a fact by hand, and why: `by ann@web1: wrong input`; empty: nobody has. */
export const describeActor = ({ actor, actor_reason: reason }) =>
  actor ? `by ${actor}${reason ? `: ${reason}` : ""}` : "";

/** Return the reason of a fact, with who has caused it; either may be missing. */
export const describeReason = (fact) => [fact.reason, describeActor(fact)].filter(Boolean).join("; ");
