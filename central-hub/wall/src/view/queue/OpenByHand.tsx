//! An operator opens an incident by hand: somebody called, or saw it on a screen.
import type { Desk } from '../../desk'
import type { Incidents } from '../../incidents'
import { t } from '../../language'
import type { Which } from '../../work-wire'
import { Dialog } from '../Dialog'
import { ReportForm } from '../work/ReportForm'
import { Notices } from './Notices'

export function OpenByHand(props: { desk: Desk; incidents: Incidents; onDone: (which: Which | null) => void }) {
  const sites = () => [...new Set([...props.desk.sites(), ...props.incidents.items().map((item) => item.incident.site)])].sort()
  return (
    <Dialog class="ask" title={t().queue.openByHand} onClose={() => props.onDone(null)}>
      <div class="ask__body">
        <Notices incidents={props.incidents} now={props.desk.now()} />
        <ReportForm
          sites={sites()} siteName={props.desk.siteName} kinds={props.incidents.kinds.of} busy={props.incidents.busy()}
          onSubmit={(asked, photos) => void props.incidents.open(asked, photos).then((which) => which && props.onDone(which))}
        />
        <button class="button" type="button" onClick={() => props.onDone(null)}>{t().queue.cancel} <kbd>Esc</kbd></button>
      </div>
    </Dialog>
  )
}
