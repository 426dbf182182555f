/** One turn with everything a human is asked on its way, until it is answered, has failed, or waits for somebody else. */
import type { Answer } from "../../answer.js";
import type { Approval, Decision } from "../../approval.js";
import type { AgentEvent } from "../../events.js";
import type { Run } from "../../run-stream.js";
import type { Session } from "../../session.js";

/** Who sees its events, and who decides. */
export interface Company {
  show(event: AgentEvent): void;
  /** What a human decides; undefined leaves the session waiting. */
  decide(approval: Approval): Promise<Decision | undefined>;
  readonly signal: AbortSignal;
}

/** Runs it to its end. @throws AgentError what made it fail; what made a run fail has been shown as its error event */
export async function converse(first: Run<Answer>, session: Session, company: Company): Promise<Answer> {
  for (let run = first; ; ) {
    for await (const event of run) company.show(event);
    const answer = await run.result;
    const [asked] = answer.approvals;
    const decision = asked === undefined ? undefined : await company.decide(asked);
    if (asked === undefined || decision === undefined) return answer;
    run = session.answer(asked.approval, decision, { signal: company.signal });
  }
}
