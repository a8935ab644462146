//! Words of live video, in both languages.

const zh = {
  watch: '看实时画面',
  short: '观看',
  watchOf: (camera: string) => `观看 ${camera} 的实时画面`,
  back: '回到图片',
  title: (camera: string) => `${camera} 的实时画面`,
  moods: { connecting: '正在接通…', live: '实时', again: '画面中断，正在重新接通…', refused: '没有实时画面', hidden: '页面不在前台，已停止观看' },
  covered: '画面中的人头均已遮盖',
  accountable: '何人何时观看，均记入审计',
  why: {
    live_off: '盒子的设置不允许观看这路摄像机。需要时请安装人员修改盒子上的设置。',
    live_most: '这台盒子同时被观看的摄像机已达上限。请先关闭其他实时画面。',
    live_missing: '盒子上缺少编码组件。请安装人员在盒子上运行 edge-agent doctor。',
    no_camera: '盒子上没有这路摄像机。',
    old: '盒子的程序版本太旧，还不能提供实时画面。请升级盒子。',
    not_allowed: '您的角色不能观看实时画面。',
    reason_needed: '请先说明查看的理由。',
    not_found: '没有这路摄像机，或不属于您的站点。',
    session: '登录已过期，请重新登录。',
  } as Record<string, string>,
  whyOther: '盒子拒绝了。请看盒子的日志。',
}

const en: typeof zh = {
  watch: 'Watch live',
  short: 'Watch',
  watchOf: (camera) => `Watch ${camera} live`,
  back: 'Back to the still',
  title: (camera) => `${camera}, live`,
  moods: { connecting: 'Connecting…', live: 'Live', again: 'The picture broke off; connecting again…', refused: 'No live picture', hidden: 'The page is not in front; not watching' },
  covered: 'The heads of all persons are covered',
  accountable: 'Who watches, and when, is in the audit',
  why: {
    live_off: 'The box’s settings let nobody watch this camera. If it is needed, the installer can change them on the box.',
    live_most: 'As many cameras of this box are watched as it can send. Close another live picture first.',
    live_missing: 'The box lacks an encoder. Have the installer run edge-agent doctor on it.',
    no_camera: 'The box has no such camera.',
    old: 'The box’s version is too old for live pictures. Update the box.',
    not_allowed: 'Your role does not allow live pictures.',
    reason_needed: 'Say what looking is for first.',
    not_found: 'There is no such camera, or it is not of your sites.',
    session: 'The session has ended; log in again.',
  },
  whyOther: 'The box refused; its log says why.',
}

export const LIVE_TEXTS = { zh, en }
