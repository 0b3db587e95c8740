# SPDX-License-Identifier: Apache-2.0
<#
.SYNOPSIS
Installs hostclaw as a service and as a logon task on a real Windows, and looks at what Wine does not show.

.DESCRIPTION
    powershell -ExecutionPolicy Bypass -File tests\windows\real_service.ps1 -Program hostclaw.exe

Needs an administrator and a machine on which hostclaw is not installed: a virtual machine or a hosted runner. What it
installs it removes, also when it fails. It has not run anywhere yet; tests/windows/service.sh is its twin under Wine.

.PARAMETER Program
hostclaw.exe; it is copied below Program Files, because a service does not run from a user's folder.

.PARAMETER Gateway
hostclaw-dev-gateway.exe. Without it the node has nobody to talk to and waits, which is enough for most of this.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $Program,
    [string] $Gateway
)

Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

$folder = Join-Path $env:ProgramFiles 'hostclaw-real-service-test'
$hostclaw = Join-Path $folder 'hostclaw.exe'
$state = Join-Path $env:ProgramData 'hostclaw'
$script:passed = 0
$gatewayProcess = $null

function Assert-That([string] $What, [bool] $Holds, [string] $Seen = '') {
    if (-not $Holds) { throw "FAILED: $What`n$Seen" }
    $script:passed++
    Write-Output "ok      $What"
}

# Waits for what holds some time later; looks every quarter of a second.
function Wait-Until([string] $What, [int] $Seconds, [scriptblock] $Holds) {
    $until = (Get-Date).AddSeconds($Seconds)
    while (-not (& $Holds)) {
        if ((Get-Date) -gt $until) { throw "FAILED: $What within $Seconds s" }
        Start-Sleep -Milliseconds 250
    }
    $script:passed++
    Write-Output "ok      $What"
}

function Get-ServiceProcess { (Get-CimInstance Win32_Service -Filter "Name='hostclaw'").ProcessId }

function Invoke-Hostclaw {
    $text = & $hostclaw @args 2>&1 | Out-String
    if ($LASTEXITCODE -ne 0) { throw "FAILED: hostclaw $args ($LASTEXITCODE)`n$text" }
    $text
}

$principal = New-Object Security.Principal.WindowsPrincipal ([Security.Principal.WindowsIdentity]::GetCurrent())
if (-not $principal.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) { throw 'this needs an administrator' }
if (Get-Service hostclaw -ErrorAction SilentlyContinue) { throw 'hostclaw is installed here; this test would remove it' }
if (Test-Path -LiteralPath $state) { throw "$state is there already; this test would remove it" }

try {
    New-Item -ItemType Directory -Force $folder | Out-Null
    Copy-Item -LiteralPath $Program -Destination $hostclaw
    $port = '18789'
    if ($Gateway) {
        $token = Join-Path $env:TEMP 'hostclaw-test-token'
        $env:OPENCLAW_GATEWAY_TOKEN = [guid]::NewGuid().ToString('N')
        [IO.File]::WriteAllText($token, $env:OPENCLAW_GATEWAY_TOKEN)
        $log = Join-Path $env:TEMP 'hostclaw-test-gateway.log'
        $gatewayProcess = Start-Process -PassThru -WindowStyle Hidden -RedirectStandardOutput $log `
            -FilePath $Gateway -ArgumentList 'serve', '--port', '0', '--token-file', $token
        Wait-Until 'the development gateway listens' 20 { (Test-Path $log) -and (Select-String -Quiet '"ready":true' $log) }
        $port = [regex]::Match((Get-Content -Raw $log), '"port":(\d+)').Groups[1].Value
    }

    Write-Output '-- the service'
    Invoke-Hostclaw node install --json --host 127.0.0.1 --port $port | Out-Null
    Wait-Until 'the service runs' 90 { (Get-Service hostclaw).Status -eq 'Running' }
    $service = Get-CimInstance Win32_Service -Filter "Name='hostclaw'"
    Assert-That 'its account is its own' ($service.StartName -eq 'NT SERVICE\hostclaw') $service.StartName
    Assert-That 'its path is in quotes' ($service.PathName.StartsWith('"')) $service.PathName
    Assert-That 'it starts late' ((sc.exe qc hostclaw | Out-String) -match 'DELAYED')
    Assert-That 'it has an identity of its own' ((sc.exe qsidtype hostclaw | Out-String) -match 'UNRESTRICTED')
    Assert-That 'the manager waits longer than it does' ((sc.exe qpreshutdown hostclaw | Out-String) -match '60000')

    Write-Output '-- who can read its state'
    $acl = Get-Acl -LiteralPath $state
    Assert-That 'nothing is inherited' $acl.AreAccessRulesProtected
    $names = @($acl.Access | ForEach-Object { $_.IdentityReference.Value } | Sort-Object -Unique)
    $others = @($names | Where-Object { $_ -notmatch 'SYSTEM$|Administrators$|hostclaw$' })
    Assert-That 'nobody else is named' ($others.Count -eq 0) ($names -join ', ')
    foreach ($file in Get-ChildItem -LiteralPath $state -File) {
        $others = @((Get-Acl -LiteralPath $file.FullName).Access | ForEach-Object { $_.IdentityReference.Value } |
                Where-Object { $_ -notmatch 'SYSTEM$|Administrators$|hostclaw$' })
        Assert-That "$($file.Name) names nobody else" ($others.Count -eq 0) ($others -join ', ')
    }

    Write-Output '-- a killed process'
    $first = Get-ServiceProcess
    Stop-Process -Id $first -Force
    Wait-Until 'it is started again' 60 { $now = Get-ServiceProcess; $now -ne 0 -and $now -ne $first }
    Wait-Until 'and runs' 90 { (Get-Service hostclaw).Status -eq 'Running' }

    Write-Output '-- stop, events, uninstall'
    Stop-Service hostclaw
    Assert-That 'it has stopped' ((Get-Service hostclaw).Status -eq 'Stopped')
    $events = @(Get-WinEvent -ProviderName hostclaw -MaxEvents 20)
    Assert-That 'its events have texts' (@($events | Where-Object { -not $_.Message }).Count -eq 0)
    Invoke-Hostclaw node uninstall --json | Out-Null
    Wait-Until 'the service is gone' 30 { -not (Get-Service hostclaw -ErrorAction SilentlyContinue) }

    Write-Output '-- the logon task'
    Invoke-Hostclaw node install --user --json --host 127.0.0.1 --port $port | Out-Null
    $task = Get-ScheduledTask -TaskName hostclaw
    Assert-That 'it has no time limit' ($task.Settings.ExecutionTimeLimit -in 'PT0S', '') $task.Settings.ExecutionTimeLimit
    Assert-That 'it has the least rights' ($task.Principal.RunLevel -eq 'Limited') $task.Principal.RunLevel
    Invoke-Hostclaw node start --user --json | Out-Null
    Wait-Until 'its node runs' 60 { (Invoke-Hostclaw node status --user --json) -match '"status":"running"' }
    $windows = @(Get-Process hostclaw | Where-Object { $_.MainWindowHandle -ne 0 })
    Assert-That 'it shows no window' ($windows.Count -eq 0)
    Invoke-Hostclaw node stop --user --json | Out-Null
    Wait-Until 'its processes end' 60 { @(Get-Process hostclaw -ErrorAction SilentlyContinue).Count -eq 0 }
    Invoke-Hostclaw node uninstall --user --json | Out-Null
    Assert-That 'the task is gone' (-not (Get-ScheduledTask -TaskName hostclaw -ErrorAction SilentlyContinue))
    Write-Output "$script:passed checks passed"
} finally {
    if (Get-Service hostclaw -ErrorAction SilentlyContinue) {
        Stop-Service hostclaw -Force -ErrorAction SilentlyContinue
        sc.exe delete hostclaw | Out-Null
    }
    Unregister-ScheduledTask -TaskName hostclaw -Confirm:$false -ErrorAction SilentlyContinue
    if ($gatewayProcess) { Stop-Process -Id $gatewayProcess.Id -Force -ErrorAction SilentlyContinue }
    Remove-Item -Recurse -Force -LiteralPath $folder, $state -ErrorAction SilentlyContinue
}
