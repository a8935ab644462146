//! An answer never goes over what the feed told after the question.
import { expect, it } from 'vitest'
import { overlaid, Questions } from '../src/questions'

const key = (one: { id: string }) => one.id

it('spares what was told while a question was under way, and only that', async () => {
  const questions = new Questions()
  questions.told('before')
  let reply!: (list: { id: string; from: string }[]) => void
  const asked = questions.ask(new Promise<{ id: string; from: string }[]>((resolve) => (reply = resolve)))
  questions.told('b')
  questions.told('d')
  reply(['a', 'b', 'c'].map((id) => ({ id, from: 'answer' })))
  const { answer, spared } = await asked
  questions.told('c')
  const shown = ['b', 'c', 'd', 'gone'].map((id) => ({ id, from: 'feed' }))
  expect(overlaid(answer, shown, spared, key).map((one) => `${one.id} ${one.from}`)).toEqual(['a answer', 'b feed', 'c answer', 'd feed'])
})

it('forgets a question that failed', async () => {
  const questions = new Questions()
  await expect(questions.ask(Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(Reflect.get(questions, 'underWay')).toHaveProperty('size', 0)
})
