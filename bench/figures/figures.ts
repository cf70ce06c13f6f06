import type { Benchmark } from '../harness/benchmark.ts';
import { basket } from './basket.ts';
import { confirm } from './confirm.ts';
import { readHttp, reserveHttp } from './http.ts';
import { importStock } from './import.ts';
import { overload } from './overload.ts';
import { project } from './project.ts';
import { recordMariadb } from './record-mariadb.ts';
