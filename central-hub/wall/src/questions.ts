//! Questions under way, and what the feed told meanwhile: that is newer than their answers.

export class Questions {
  private readonly underWay = new Set<Set<string>>()

  /** The feed told of this. */
  told(id: string): void {
    for (const ids of this.underWay) ids.add(id)
  }

  /** The answer, with the ids to spare when it is put to use. */
  async ask<T>(question: Promise<T>): Promise<{ answer: T; spared: ReadonlySet<string> }> {
    const spared = new Set<string>()
    this.underWay.add(spared)
    try {
      return { answer: await question, spared }
    } finally {
      this.underWay.delete(spared)
    }
  }
}

/** A list as answered, with what was told meanwhile put over it. */
export function overlaid<T>(answer: readonly T[], before: readonly T[], spared: ReadonlySet<string>, key: (one: T) => string): T[] {
  const fresher = new Map(before.filter((one) => spared.has(key(one))).map((one) => [key(one), one]))
  const listed = answer.map((one) => {
    const told = fresher.get(key(one))
    fresher.delete(key(one))
    return told ?? one
  })
  return [...listed, ...fresher.values()]
}
