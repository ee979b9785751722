// Sorts differences into those that differences.js lists and the others.
'use strict';

class Judgement {
  constructor(rules) {
    this.rules = rules;
    this.uses = new Map(rules.map((rule) => [rule.id, new Map()])); // id -> engine -> count
  }

  /** The differences that no rule covers. */
  unlisted(differences) {
    return differences.filter((difference) => !this.#covered(difference));
  }

  #covered(difference) {
    const covering = this.rules.filter((rule) => rule.engines.includes(difference.engine) && rule.matches(difference));
    for (const { id } of covering) {
      const uses = this.uses.get(id);
      uses.set(difference.engine, (uses.get(difference.engine) ?? 0) + 1);
    }
    return covering.length > 0;
  }

  /** Rules that covered nothing, though an engine they speak of has run. */
  unused(engines) {
    return this.rules.flatMap((rule) =>
      rule.engines.filter((engine) => engines.has(engine) && !this.uses.get(rule.id).has(engine)).map((engine) => ({ rule, engine }))
    );
  }
}

module.exports = { Judgement };
