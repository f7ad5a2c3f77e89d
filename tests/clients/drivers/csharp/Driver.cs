// Does with the C# client what each line on standard input asks for, and says on a line what came of it.

using System;
using System.Collections.Generic;
using System.Linq;
using MusicStudioClient;
using MusicStudioClient.Api;
using MusicStudioClient.Client;
using MusicStudioClient.Model;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

internal static class Driver
{
    private static object Seen(Collection made)
    {
        return new Dictionary<string, object>
        {
            { "id", made.Id },
            { "name", made.Name },
            { "description", made.Description },
            { "cover_track_id", made.CoverTrackId },
            { "track_count", made.TrackCount }
        };
    }

    private static CollectionCreate Created(JObject body)
    {
        var made = new CollectionCreate((string)body["name"]);
        if (body.Property("description") != null)
        {
            made.Description = (string)body["description"];
        }
        return made;
    }

    private static CollectionPatch Patched(JObject body)
    {
        var made = new CollectionPatch();
        if (body.Property("name") != null)
        {
            made.Name = (string)body["name"];
        }
        if (body.Property("description") != null)
        {
            made.Description = (string)body["description"];
        }
        return made;
    }

    private static object Act(CollectionsApi api, JObject step)
    {
        var home = (string)step["organization"];
        var id = (string)step["collection"];
        var track = (string)step["track"];
        var body = (JObject)step["body"];
        switch ((string)step["do"])
        {
            case "create":
                return Seen(api.CreateCollection(home, Created(body), (string)step["idempotency_key"]));
            case "get":
                return Seen(api.GetCollection(home, id));
            case "update":
                return Seen(api.UpdateCollection(home, id, Patched(body), (string)step["if_match"]));
            case "delete":
                return api.DeleteCollection(home, id).Id;
            case "list":
                return api.ListCollections(home, (int)step["limit"]).Items.Select(Seen);
            case "every":
                return Studio.Every((limit, offset) => api.ListCollections(home, limit, offset).Items, (int)step["limit"])
                    .Select(Seen).ToList();
            case "tracks":
                return api.ListCollectionTracks(home, id).Items.Select(item => item.TrackId);
            case "add":
                return api.AddCollectionTrack(home, id, new CollectionTrackCreate(track)).Id;
            case "remove":
                return api.RemoveCollectionTrack(home, id, track).Id;
            case "reorder":
                var tracks = step["tracks"].Select(item => (string)item).ToList();
                return api.ReorderCollection(home, id, new CollectionOrder(tracks)).Id;
            default:
                throw new ArgumentException((string)step["do"]);
        }
    }

    private static object Told(ApiException exception)
    {
        var error = Studio.Failure(exception);
        var violations = error == null || error.Details.Errors == null ? new List<Violation>() : error.Details.Errors;
        return new
        {
            status = exception.ErrorCode,
            code = error == null ? null : error.Code,
            type = error == null ? null : error.Type,
            violations = violations.Select(one => new { pointer = one.Pointer, code = one.Code })
        };
    }

    private static object Outcome(JObject step)
    {
        var timeout = TimeSpan.FromSeconds((int)step["timeout"]);
        using (var studio = new Studio(
            (string)step["url"], (string)step["api_key"], timeout: timeout, retries: (int)step["retries"]))
        {
            try
            {
                return new { value = Act(new CollectionsApi(studio.Http, studio.Configuration), step) };
            }
            catch (ApiException exception) when (exception.ErrorContent != null)
            {
                return new { error = Told(exception) };
            }
            catch (Exception failure)
            {
                return new { failure = failure.GetType() + ": " + failure.Message };
            }
        }
    }

    private static void Main()
    {
        string line;
        while ((line = Console.ReadLine()) != null)
        {
            Console.WriteLine(JsonConvert.SerializeObject(Outcome(JObject.Parse(line))));
            Console.Out.Flush();
        }
    }
}
