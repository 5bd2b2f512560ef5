import { notYetAvailable, StowageError } from '../../errors.js';
import { allowedAddress, usableSecret } from '../../server/connectionRules.js';
import { text, type InputProblems, type Rule } from '../../server/inputValidation.js';
import type { AllowedTargets } from '../allowedTargets.js';
import { httpUrl } from '../http/httpUrl.js';
import type { SwiftSettings } from './swiftSettings.js';
import type { SwiftCredentialsInput, SwiftInput, SwiftPatch } from './swiftTypes.js';

const authUrl = httpUrl('https://keystone.example.com:5000/v3');

/** At most 256 bytes without `/` (Swift API reference). The `swift` program would read a leading dash as an option. */
const containerName: Rule<string> = (name) => {
  const hint = 'Write up to 256 bytes without slashes, for example backups.';
  const unlikely = text(1, 256)(name);
  if (unlikely !== undefined) return unlikely;
  if (Buffer.byteLength(name) > 256) return { problem: 'is longer than 256 bytes', hint };
  if (name.includes('/')) return { problem: 'contains a slash', hint: 'Write folders in input.prefix.' };
  if (name === '.' || name === '..' || name.startsWith('-')) return { problem: 'is not a name of a container', hint };
  return undefined;
};

/** The problems of an input from a client. Throws NOT_YET_AVAILABLE for application credentials. */
export function addSwiftProblems(
  problems: InputProblems,
  path: string,
  swift: SwiftInput | SwiftPatch,
  targets: AllowedTargets,
): void {
  problems
    .check(`${path}.authUrl`, swift.authUrl, authUrl, (url) => allowedAddress(targets)(new URL(url).hostname))
    .check(`${path}.container`, swift.container, containerName)
    .check(`${path}.region`, swift.region, text(1, 255));
  if (swift.credentials) checkCredentials(problems, `${path}.credentials`, swift.credentials);
}

/** BAD_INPUT for an auth URL or a container's name that is invalid. Undefined: both are valid. */
export function settingsProblem({ authUrl: url, container }: SwiftSettings): StowageError | undefined {
  const ofUrl = authUrl(url);
  if (ofUrl !== undefined) {
    return new StowageError('BAD_INPUT', `The auth URL ${ofUrl.problem}.`, { help: ofUrl.hint });
  }
  const ofName = containerName(container);
  if (ofName === undefined) return undefined;
  return new StowageError('BAD_INPUT', `The container's name ${ofName.problem}.`, { help: ofName.hint });
}

function checkCredentials(
  problems: InputProblems,
  path: string,
  { serviceUser, applicationCredential, v1 }: SwiftCredentialsInput,
): void {
  if (applicationCredential) {
    throw notYetAvailable('Application credentials are not built yet. Send a service user, or a v1 user.');
  }
  const name = text(1, 255);
  problems
    .check(`${path}.serviceUser.username`, serviceUser?.username, name)
    .check(`${path}.serviceUser.password`, serviceUser?.password, usableSecret)
    .check(`${path}.serviceUser.userDomain`, serviceUser?.userDomain, name)
    .check(`${path}.serviceUser.project`, serviceUser?.project, name)
    .check(`${path}.serviceUser.projectDomain`, serviceUser?.projectDomain, name)
    .check(`${path}.v1.user`, v1?.user, name)
    .check(`${path}.v1.key`, v1?.key, usableSecret);
}
