import { create } from "@bufbuild/protobuf";
import { JobLogSchema, LogSource } from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import { serviceLog } from "./event-record.ts";
import type { EventDraft, JobLog } from "./job-log.ts";

const pauseMs = 100;
const maxLines = 2000;

/** Brings what a package manager writes into a job's log: many lines at a time, and no more than people read. */
export class BuildLines {
  readonly #log: Pick<JobLog, "append">;
  readonly #failed: (error: unknown) => void;
  #drafts: EventDraft[] = [];
  #count = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Pick<JobLog, "append">, failed: (error: unknown) => void) {
    this.#log = log;
    this.#failed = failed;
  }

  readonly add = (message: string): void => {
    this.#count++;
    if (this.#count > maxLines) return;
    const value = create(JobLogSchema, { source: LogSource.BUILD, message });
    this.#drafts.push({ timeMs: Date.now(), payload: { case: "log", value } });
    this.#timer ??= setTimeout(() => this.#write(), pauseMs);
  };

  /** Hands over what is left; to be called once, before the job's next event. */
  end(): void {
    const more = this.#count - maxLines;
    if (more > 0) this.#drafts.push(serviceLog(`${more} more lines of the build are left out.`));
    this.#write();
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#drafts.length === 0) return;
    this.#log.append(this.#drafts).catch(this.#failed);
    this.#drafts = [];
  }
}
