<?php

// Does with the PHP client what each line on standard input asks for, and says on a line what came of it.

declare(strict_types=1);

use MusicStudio\Client\Api\CollectionsApi;
use MusicStudio\Client\ApiException;
use MusicStudio\Client\Model\Collection;
use MusicStudio\Client\Model\CollectionOrder;
use MusicStudio\Client\Model\CollectionPatch;
use MusicStudio\Client\Model\CollectionCreate;
use MusicStudio\Client\Model\CollectionTrackCreate;
use MusicStudio\Client\Model\Violation;
use MusicStudio\Client\MusicStudio;

require '/usr/share/php/GuzzleHttp/autoload.php';
spl_autoload_register(static function (string $class): void {
    $file = __DIR__ . '/client/lib/' . strtr(substr($class, strlen('MusicStudio\\Client\\')), '\\', '/') . '.php';
    if (is_file($file)) {
        require $file;
    }
});
set_error_handler(static function (int $level, string $text, string $file, int $line): never {
    throw new ErrorException($text, 0, $level, $file, $line);
});

function api(array $step): CollectionsApi
{
    $studio = new MusicStudio($step['url'], $step['api_key'], timeout: $step['timeout'], retries: $step['retries']);
    return new CollectionsApi($studio->http, $studio->configuration);
}

function seen(Collection $made): array
{
    return [
        'id' => $made->getId(),
        'name' => $made->getName(),
        'description' => $made->getDescription(),
        'cover_track_id' => $made->getCoverTrackId(),
        'track_count' => $made->getTrackCount(),
    ];
}

function every(CollectionsApi $api, array $step): array
{
    $fetch = static fn (int $limit, int $offset) =>
        $api->listCollections($step['organization'], $limit, $offset)->getItems();
    return array_map(seen(...), iterator_to_array(MusicStudio::every($fetch, $step['limit']), false));
}

function act(CollectionsApi $api, array $step): mixed
{
    $home = $step['organization'];
    $collection = $step['collection'] ?? '';
    return match ($step['do']) {
        'create' => seen(
            $api->createCollection($home, new CollectionCreate($step['body']), $step['idempotency_key'] ?? null)
        ),
        'get' => seen($api->getCollection($home, $collection)),
        'update' => seen(
            $api->updateCollection($home, $collection, new CollectionPatch($step['body']), $step['if_match'] ?? null)
        ),
        'delete' => $api->deleteCollection($home, $collection)->getId(),
        'list' => array_map(seen(...), $api->listCollections($home, $step['limit'])->getItems()),
        'every' => every($api, $step),
        'tracks' => array_map(
            static fn ($item) => $item->getTrackId(),
            $api->listCollectionTracks($home, $collection)->getItems()
        ),
        'add' => $api->addCollectionTrack(
            $home,
            $collection,
            new CollectionTrackCreate(['track_id' => $step['track']])
        )->getId(),
        'remove' => $api->removeCollectionTrack($home, $collection, $step['track'])->getId(),
        'reorder' => $api->reorderCollection(
            $home,
            $collection,
            new CollectionOrder(['ordered_track_ids' => $step['tracks']])
        )->getId(),
    };
}

function outcome(array $step): array
{
    try {
        return ['value' => act(api($step), $step)];
    } catch (ApiException $exception) {
        if ($exception->getCode() < 400) {
            return ['failure' => $exception->getMessage()];
        }
        $error = MusicStudio::failure($exception);
        $violations = array_map(
            static fn (Violation $one) => ['pointer' => $one->getPointer(), 'code' => $one->getCode()],
            $error?->getDetails()->getErrors() ?? []
        );
        return ['error' => [
            'status' => $exception->getCode(),
            'code' => $error?->getCode(),
            'type' => $error?->getType(),
            'violations' => $violations,
        ]];
    } catch (Throwable $failure) {
        return ['failure' => get_class($failure) . ': ' . $failure->getMessage()];
    }
}

while (($line = fgets(STDIN)) !== false) {
    echo json_encode(outcome(json_decode($line, true)), JSON_THROW_ON_ERROR), "\n";
}
