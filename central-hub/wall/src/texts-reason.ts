//! Words for the question what somebody looks for, in both languages.

const zh = {
  title: '请说明查看理由',
  why: '中心要求在查看图片或导出之前说明理由。理由会记入审计，半小时内有效。',
  label: '理由（例如案件编号）',
  give: '继续',
  cancel: '不查看',
  missing: '请填写理由。',
  failed: '理由没有送达中心，请再试一次。',
  withheld: '需要说明理由才能查看',
  giveNow: '说明理由并查看',
}

const en: typeof zh = {
  title: 'Say what you are looking for',
  why: 'This hub asks for a reason before pictures are seen or anything is exported. It stands in the audit, and holds for half an hour.',
  label: 'Reason (for example a case number)',
  give: 'Go on',
  cancel: 'Do not look',
  missing: 'Say a reason.',
  failed: 'The reason did not reach the hub. Try again.',
  withheld: 'Shown when a reason is given',
  giveNow: 'Give a reason and look',
}

export const REASON_TEXTS = { zh, en }
