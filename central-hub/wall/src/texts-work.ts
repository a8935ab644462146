//! Words for incidents and the work on them, in both languages; the same as the hub's own (hub-core's `words`).

const zh = {
  states: {
    new: '新事件', acknowledged: '已确认', dispatched: '已派遣', on_scene: '已到场', resolved: '已处置', closed: '已结案', false_alarm: '误报',
  } as Record<string, string>,
  steps: {
    acknowledge: '确认', dispatch: '派遣', assign: '指派', accept: '接单', arrive: '到场', resolve: '处置完成', close: '结案',
    false_alarm: '误报', reopen: '重新打开', pause: '暂停计时', resume: '恢复计时', note: '备注', attach: '照片', answer: '回答', open: '上报',
    opened: '人工上报', alert: '再次告警', absorbed: '并入', overdue: '超时', escalated: '升级', clock_set: '时钟校正',
  } as Record<string, string>,
  targets: { acknowledge: '确认', dispatch: '派遣', arrive: '到场', resolve: '处置' } as Record<string, string>,
  hub: '中心',
  level: (n: number) => `第 ${n} 级`,
  left: (target: string, clock: string) => `${target}还剩 ${clock}`,
  over: (target: string, clock: string) => `${target}超时 ${clock}`,
  leftShort: (target: string, clock: string) => `${clock} ${target}`,
  overShort: (clock: string) => `超时 ${clock}`,
  nothingYet: '还没有人处置',
  paused: '计时已暂停',
  opened: (age: string) => `${age}上报`,
  history: '经过',
  photo: (n: number) => `照片 ${n}`,
  photoOf: (by: string) => `${by} 拍摄的照片`,
  photoBroken: '照片读取失败',
  procedure: '处置预案',
  procedureDone: '预案已走完',
  overtaken: (by: string, did: string, at: string) => `${by} 已于 ${at} 先行“${did}”。`,
  notGiven: '该事件已不再派给您。',
  refusedCodes: {
    not_found: '该事件已不再派给您，或已不存在。',
    needs_version: '页面过旧，请刷新后再试。',
    needs_assignee: '需要指定队伍或网格员。',
    no_such_answer: '现在不问这个问题。',
    too_many_notes: '该事件的备注已满，请另开一个事件。',
    no_photo: '中心不接受这张照片。',
    changed_meanwhile: '事件刚刚有了变化，没有执行，请看最新情况后再操作。',
    bad_request: '不能这样操作。',
    not_allowed: '您的角色没有这项权限。',
    unprocessable: '中心认为填写的内容不合要求。',
  } as Record<string, string>,
  refusedOther: (code: string) => `中心没有接受（${code}）。`,
}

export type WorkTexts = typeof zh

const en: WorkTexts = {
  states: {
    new: 'New', acknowledged: 'Acknowledged', dispatched: 'Dispatched', on_scene: 'On scene', resolved: 'Resolved', closed: 'Closed', false_alarm: 'False alarm',
  },
  steps: {
    acknowledge: 'Acknowledge', dispatch: 'Dispatch', assign: 'Assign', accept: 'Accept', arrive: 'Arrive', resolve: 'Resolve', close: 'Close',
    false_alarm: 'False alarm', reopen: 'Re-open', pause: 'Pause the clock', resume: 'Resume the clock', note: 'Note', attach: 'Photo', answer: 'Answer', open: 'Report',
    opened: 'Reported', alert: 'Flared up again', absorbed: 'Joined', overdue: 'Overdue', escalated: 'Escalated', clock_set: 'Clock set',
  },
  targets: { acknowledge: 'Acknowledge', dispatch: 'Dispatch', arrive: 'Arrive', resolve: 'Resolve' },
  hub: 'the hub',
  level: (n) => `level ${n}`,
  left: (target, clock) => `${target} within ${clock}`,
  over: (target, clock) => `${target} overdue ${clock}`,
  leftShort: (target, clock) => `${clock} ${target}`,
  overShort: (clock) => `Late ${clock}`,
  nothingYet: 'Nobody has done anything yet',
  paused: 'Clock is paused',
  opened: (age) => `reported ${age}`,
  history: 'History',
  photo: (n) => `Photo ${n}`,
  photoOf: (by) => `Photo taken by ${by}`,
  photoBroken: 'The photo could not be read',
  procedure: 'Operating procedure',
  procedureDone: 'The procedure is through',
  overtaken: (by, did, at) => `${by} was faster: "${did}" at ${at}.`,
  notGiven: 'This incident is no longer given to you.',
  refusedCodes: {
    not_found: 'This incident is no longer given to you, or is gone.',
    needs_version: 'The page is too old; reload it and try again.',
    needs_assignee: 'Say which unit or member.',
    no_such_answer: 'This question is not asked now.',
    too_many_notes: 'This incident holds as many notes as it can; open another one.',
    no_photo: 'The hub does not take this photo.',
    changed_meanwhile: 'The incident has just changed; nothing was done. Look again, then decide.',
    bad_request: 'This cannot be done.',
    not_allowed: 'Your roles do not allow this.',
    unprocessable: 'The hub does not take what was filled in.',
  },
  refusedOther: (code) => `The hub did not take it (${code}).`,
}

export const WORK_TEXTS = { zh, en }
