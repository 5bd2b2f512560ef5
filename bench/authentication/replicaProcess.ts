import 'reflect-metadata';
import { startRealApi } from '../realApi.js';

/** A replica of the API in a process of its own. It prints its URL, and ends with its parent. */
const { APP_URL: appUrl = '', OWNER_URL: ownerUrl = '', MASTER_KEY: masterKey = '' } = process.env;
const api = await startRealApi({ appUrl, ownerUrl }, { masterKey });
process.stdout.write(`${api.url}\n`);
process.stdin.resume().once('end', () => void api.stop().then(() => process.exit(0)));
