import type { Application, Readiness } from '../application.ts';
import type { MasterData } from '../catalog/master-data.ts';
import { Problem } from './problems.ts';

/** What the routes serve. */
export type ServedApplication = Application & { masterData: MasterData };

/**
 * The application behind the routes, which listen before it is filled and after it began to stop: until there is
 * one, and while it drains, the service says so.
 */
export class Service {
  #application: ServedApplication | null = null;
  draining = false;
  /** Whoever still comes is told to ask another process. */
  turningAway = false;
  readonly #servesApi: boolean;

  /** Without the API, health and metrics alone are answered: the process has other roles. */
  constructor({ servesApi }: { servesApi: boolean }) {
    this.#servesApi = servesApi;
  }

  open(application: ServedApplication): void {
    this.#application = application;
  }

  get application(): ServedApplication | null {
    return this.#application;
  }

  readiness(): Readiness {
    if (this.draining) return { ready: false, reasons: ['draining'], degraded: [] };
    return this.#application?.readiness() ?? { ready: false, reasons: ['starting'], degraded: [] };
  }

  /** @throws Problem while there is no application yet, and when it is about to go. */
  get running(): ServedApplication {
    if (!this.#servesApi)
      throw new Problem('NOT_READY', 'This process does not have the role api; ask one that has it.');
    if (this.turningAway)
      throw new Problem('NOT_READY', 'Nothing was done: this process is stopping; ask another one, or repeat later.');
    if (this.#application === null) throw new Problem('NOT_READY', 'The service is starting.');
    return this.#application;
  }

  /**
   * For commands, and for reads of levels, which the engine answers from what it holds.
   * @throws Problem while that is being filled, or the ledger is away: nothing is answered from its emptiness, and
   * nothing decided that could not be recorded.
   */
  get filled(): ServedApplication {
    const application = this.running;
    if (application.isReady()) return application;
    throw new Problem('NOT_READY', `The service is not ready: ${application.readiness().reasons.join('; ')}.`);
  }
}
