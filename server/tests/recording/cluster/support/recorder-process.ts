/** A recorder in a process of its own, to be stopped and killed. Ends with its standard input. */
import { ClusterMember } from './cluster-member.ts';

const member = await ClusterMember.open(JSON.parse(process.env.MEMBER ?? '{}'));
await member.start();
process.stdout.write('started\n');
process.stdin.resume();
process.stdin.once('end', () => process.exit(0));
