import type { Benchmark } from '../harness/benchmark.ts';
import { basket } from './basket.ts';
import { confirm } from './confirm.ts';
import { consume } from './consume.ts';
import { readHttp, reserveHttp, reserveHttpCluster } from './http.ts';
import { importStock } from './import.ts';
import { overload } from './overload.ts';
import { project } from './project.ts';
import { publish } from './publish.ts';
import { publishDelay } from './publish-delay.ts';
import { rebuild } from './rebuild.ts';
import { recordMariadb } from './record-mariadb.ts';
import { reserveCluster } from './reserve-cluster.ts';
import { reserveEmbedded } from './reserve-embedded.ts';
import { restart } from './restart.ts';
import { scaleCluster } from './scale-cluster.ts';
import { scaleHistory } from './scale-history.ts';
import { scaleLevels } from './scale-levels.ts';
import { strategies } from './strategies.ts';

/** In the order of the page. */
export const benchmarks: readonly Benchmark[] = [
  reserveEmbedded,
  reserveHttp,
  reserveCluster,
  reserveHttpCluster,
  scaleCluster,
  readHttp,
  basket,
  confirm,
  importStock,
  scaleLevels,
  scaleHistory,
  restart,
  rebuild,
  project,
  publish,
  publishDelay,
  consume,
  overload,
  recordMariadb,
  strategies,
];
