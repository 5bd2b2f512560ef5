import { StowageError } from '../../errors.js';

/** Converts an error of the operating system at `place` to a StowageError. Returns any other error unchanged. */
export function filesystemError(error: unknown, place: string): unknown {
  const code = systemCode(error);
  if (code === undefined) return error;
  const cause = { cause: error };
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
      return new StowageError('ENDPOINT_QUOTA', `The file system has no space left for ${place} (${code}).`, {
        ...cause,
        help: 'Free space on that file system (or inodes: `df -i` shows them), or raise its quota.',
      });
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new StowageError('ENDPOINT_FORBIDDEN', `The system does not allow access to ${place} (${code}).`, {
        ...cause,
        help: 'Allow the user of the Stowage process to read and write there.',
      });
    case 'ELOOP':
      return new StowageError('ENDPOINT_FORBIDDEN', `${capitalised(place)} is a symbolic link.`, {
        ...cause,
        help: 'Replace it with a real folder or file.',
      });
    case 'ENOENT':
    case 'ENOTDIR':
    case 'EISDIR':
      return new StowageError('ENDPOINT_NOT_FOUND', `${capitalised(place)} does not exist (${code}).`, cause);
    case 'ENAMETOOLONG':
      return new StowageError('ENDPOINT_FORBIDDEN', `The name of ${place} is too long for the file system.`, cause);
    default:
      return new StowageError('ENDPOINT_UNREACHABLE', `The file system failed at ${place} (${code}).`, {
        ...cause,
        help: "Check the system's log for errors of the disk or the mount.",
      });
  }
}

/** For example `ENOENT`. Undefined for an error that does not come from the operating system. */
export function systemCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('syscall' in error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
