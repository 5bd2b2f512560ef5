/**
 * The main job as tabs, one operation each, in the order in which a person does it. The person copies ids from one
 * answer to the next operation. In the window of a laptop the editor shows 45 characters per line.
 */
export type Example = { readonly query: string; readonly variables?: object };

const anId = '00000000-0000-0000-0000-000000000000';

export const examples: readonly Example[] = [
  {
    query: `# 1. A project holds everything else.
#
# Sign in, or put a token into the field above. Then
# press the button or Ctrl+Enter. Copy the id
# of the answer into the variables of the
# next tabs.
mutation CreateProject($name: String!) {
  createProject(name: $name) {
    id
    name
  }
}
`,
    variables: { name: 'Playground' },
  },
  {
    query: `# 2. The database that is backed up.
# Send passwords only in variables. No answer # contains them.
mutation RegisterService($input: ServiceInput!) {
  registerService(input: $input) {
    id
    name
    engine
    dashboardUrl
  }
}
`,
    variables: {
      input: {
        projectId: anId,
        name: 'orders',
        engine: 'MARIADB',
        host: '127.0.0.1',
        port: 3306,
        username: 'backup',
        password: 'the password of the database user',
      },
    },
  },
  {
    query: `# 3. Validate: tests the container step by # step. Nothing is saved, and nothing stays # in the container. Without a Swift, use a folder:
# "settings": {"filesystem": {"path": "demo"}}
mutation ValidateFileEndpoint($input: FileEndpointInput!) {
  validateFileEndpoint(input: $input) {
    ok
    steps {
      name
      status
      took
      message
      hint
    }
  }
}
`,
    variables: { input: swiftEndpoint() },
  },
  {
    query: `# 4. Submit: validates once more, then saves.
# If it fails, extensions.details # contains the check.
mutation CreateFileEndpoint($input: FileEndpointInput!) {
  createFileEndpoint(input: $input) {
    id
    location
  }
}
`,
    variables: { input: swiftEndpoint() },
  },
  {
    query: `# 5. What is backed up, when, where to, and
# how long it is kept. "* * 5 * * *" is every
# day at 5 o'clock, "* * */5 * * *" every
# 5 hours.
mutation CreateBackupPlan($input: BackupPlanInput!) {
  createBackupPlan(input: $input) {
    id
    frequency {
      typed
      normalized
      description
    }
    nextRuns
  }
}
`,
    variables: {
      input: {
        serviceId: anId,
        name: 'nightly',
        fileEndpointIds: [anId],
        frequency: '* * 5 * * *',
        timeZone: 'Europe/Berlin',
        retention: { style: 'DAYS', period: 14 },
      },
    },
  },
  {
    query: `# 6. Now, without waiting for the schedule:
# one job for each file endpoint of the plan.
mutation StartBackup($input: StartBackupInput!) {
  startBackup(input: $input) {
    batchId
    jobs {
      id
      status
      message
    }
  }
}
`,
    variables: { input: { planId: anId } },
  },
  {
    query: `# 7. The current state, then every change and # all progress. It ends with the job.
subscription WatchBackup($id: ID!) {
  backupJob(id: $id) {
    status
    phase
    message
    progress {
      readBytes
      storedBytes
      bytesPerSecond
      share
    }
    parts {
      objectName
      storedSize
      restoreByHand
    }
    error {
      code
      message
      hint
    }
  }
}
`,
    variables: { id: anId },
  },
  {
    query: `# 8. Into another service. A database that
# exists there is never overwritten.
mutation StartRestore($input: StartRestoreInput!) {
  startRestore(input: $input) {
    id
    status
    message
  }
}
`,
    variables: { input: { backupJobId: anId, target: { asNew: { serviceId: anId } } } },
  },
  {
    query: `# 9. The log itself, in order. Send "after"
# with the last position to continue there.
subscription WatchEvents($after: Position) {
  events(after: $after) {
    position
    summary
    type
    streamType
    streamId
    actor
    recordedAt
  }
}
`,
    variables: { after: '0' },
  },
];

function swiftEndpoint() {
  const serviceUser = { username: 'backup', password: 'the password of the Service User', project: 'backups' };
  return {
    projectId: anId,
    name: 'swift',
    settings: {
      swift: { authUrl: 'https://keystone.example.org:5000/v3', container: 'backups', credentials: { serviceUser } },
    },
  };
}
